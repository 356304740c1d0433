package org.pocketface.demo;

import org.pocketface.sdk.Pixels;

/** A camera frame that stands upright and is not mirrored. It is filled again and again. */
public final class Frame {
  private Pixels pixels = new Pixels(1, 1, new byte[3]);
  private boolean front;
  private long milliseconds;

  /**
   * Makes room for another picture, whose content is undefined until it is written.
   *
   * @param front whether the camera looks at the phone's user
   * @param milliseconds when it was taken, by a clock that only goes on
   * @return where to write it
   */
  public Pixels reuse(int height, int width, boolean front, long milliseconds) {
    if (pixels.height() != height || pixels.width() != width) {
      byte[] rgb = pixels.rgb().length == 3 * height * width ? pixels.rgb() : new byte[3 * height * width];
      pixels = new Pixels(height, width, rgb);
    }
    this.front = front;
    this.milliseconds = milliseconds;
    return pixels;
  }

  /** The picture. */
  public Pixels pixels() {
    return pixels;
  }

  /** Whether the camera looks at the phone's user. */
  public boolean front() {
    return front;
  }

  /** When it was taken, in milliseconds of a clock that only goes on. */
  public long milliseconds() {
    return milliseconds;
  }
}
