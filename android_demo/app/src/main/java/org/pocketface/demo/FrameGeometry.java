package org.pocketface.demo;

import java.util.List;

/**
 * Where things of a camera frame lie: which way a frame must turn to stand upright, and where its points come to lie on a view.
 *
 * <p>Points of a frame are in pixels that count from the centre of the upper left one, as in the SDK; points of a view count from its
 * corner, as in Android.
 */
public final class FrameGeometry {
  private static final long WANTED_PIXELS = 640 * 480;

  private final float scale;
  private final float left;
  private final float top;
  private final float width;
  private final boolean mirrored;

  private FrameGeometry(float scale, float left, float top, float width, boolean mirrored) {
    this.scale = scale;
    this.left = left;
    this.top = top;
    this.width = width;
    this.mirrored = mirrored;
  }

  /**
   * Degrees clockwise, one of 0, 90, 180, 270, that a frame must turn to stand upright.
   *
   * @param sensorDegrees the camera's {@code SENSOR_ORIENTATION}: how far its frame must turn on a phone in its natural position
   * @param displayDegrees the display's rotation, counter-clockwise turns of the phone being positive (as {@code Display.getRotation})
   * @param front whether the camera looks at the phone's user: then a turn of the phone adds up instead of cancelling out
   */
  public static int turn(int sensorDegrees, int displayDegrees, boolean front) {
    return Math.floorMod(front ? sensorDegrees + displayDegrees : sensorDegrees - displayDegrees, 360);
  }

  /** Whether a turn exchanges width and height. */
  public static boolean turnsSideways(int degrees) {
    return degrees % 180 != 0;
  }

  /**
   * How a frame that stands upright fills a view: scaled so that nothing of the view stays empty, centred, what sticks out cut off.
   *
   * @param mirrored whether the view shows it as a mirror would, as people expect of a front camera; the frame itself never is mirrored
   */
  public static FrameGeometry filling(int frameWidth, int frameHeight, int viewWidth, int viewHeight, boolean mirrored) {
    float scale = Math.max(viewWidth / (float) frameWidth, viewHeight / (float) frameHeight);
    float left = (viewWidth - scale * frameWidth) / 2;
    float top = (viewHeight - scale * frameHeight) / 2;
    return new FrameGeometry(scale, left, top, frameWidth, mirrored);
  }

  /** Pixels of the view for one of the frame. */
  public float scale() {
    return scale;
  }

  /** Where x of the frame lies on the view. */
  public float viewX(double x) {
    double corner = x + 0.5;
    return (float) (left + scale * (mirrored ? width - corner : corner));
  }

  /** Where y of the frame lies on the view. */
  public float viewY(double y) {
    return (float) (top + scale * (y + 0.5));
  }

  /** A box (left, top, right, bottom) of the frame on the view, again with left before right. */
  public float[] viewBox(double[] box) {
    float first = viewX(box[0]);
    float second = viewX(box[2]);
    return new float[] {Math.min(first, second), viewY(box[1]), Math.max(first, second), viewY(box[3])};
  }

  /** The nine numbers, row by row, of the matrix that takes corners of the frame's pixels to the view, as {@code Matrix.setValues} takes them. */
  public float[] matrix() {
    float across = mirrored ? -scale : scale;
    return new float[] {across, 0, mirrored ? left + scale * width : left, 0, scale, top, 0, 0, 1};
  }

  /**
   * The one of a camera's frame sizes (width, height) to ask for: the nearest to 640 × 480 in its number of pixels, among equals the one
   * nearest to 4:3. A face in it has more pixels than the model takes, and turning it costs a phone little time.
   *
   * @param sizes each {@code {width, height}} in pixels
   * @return one of {@code sizes}, or null where there is none
   */
  public static int[] choose(List<int[]> sizes) {
    int[] best = null;
    for (int[] size : sizes) {
      if (best == null || isBetter(size, best)) {
        best = size;
      }
    }
    return best;
  }

  private static boolean isBetter(int[] size, int[] other) {
    long away = Math.abs((long) size[0] * size[1] - WANTED_PIXELS);
    long otherAway = Math.abs((long) other[0] * other[1] - WANTED_PIXELS);
    if (away != otherAway) {
      return away < otherAway;
    }
    return Math.abs(3L * size[0] - 4L * size[1]) < Math.abs(3L * other[0] - 4L * other[1]);
  }
}
