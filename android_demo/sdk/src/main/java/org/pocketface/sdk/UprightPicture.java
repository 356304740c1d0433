package org.pocketface.sdk;

import org.jetbrains.annotations.NotNull;

/**
 * Takes a decoded picture row by row, as platforms give it, to upright RGB: turned by its EXIF orientation, what is transparent laid over
 * white (docs/photograph-to-embedding.md, section 1).
 */
public final class UprightPicture {
  private final int width;
  private final int start;
  private final int acrossStep;
  private final int downStep;
  private final Pixels pixels;

  /**
   * A picture that was stored as {@code height} x {@code width} pixels. {@code orientation} is EXIF's (Exif 3.0, tag 0x0112): 1 is
   * upright, 2 to 8 are mirrored or turned; any other counts as upright.
   *
   * @throws ImageException as the constructor of {@link Pixels}
   */
  public UprightPicture(int height, int width, int orientation) {
    this.width = width;
    boolean turned = orientation >= 5 && orientation <= 8; // rows become columns
    pixels = Pixels.black(turned ? width : height, turned ? height : width);
    // Where the upper left stored pixel goes, and where its neighbours to the right and below go from there.
    boolean fromRight = orientation == 2 || orientation == 3 || orientation == 6 || orientation == 7;
    boolean fromBelow = orientation == 3 || orientation == 4 || orientation == 7 || orientation == 8;
    int right = fromRight ? -1 : 1;
    int below = fromBelow ? -pixels.width() : pixels.width();
    start = (fromRight ? pixels.width() - 1 : 0) + (fromBelow ? (pixels.height() - 1) * pixels.width() : 0);
    acrossStep = turned ? below : right;
    downStep = turned ? right : below;
  }

  /** Takes stored row {@code row}: {@code argb[column]} is 0xAARRGGBB, colours not multiplied by alpha. */
  public void row(int row, @NotNull int[] argb) {
    byte[] rgb = pixels.rgb();
    for (int column = 0; column < width; column++) {
      int pixel = argb[column];
      int alpha = pixel >>> 24;
      int at = 3 * (start + column * acrossStep + row * downStep);
      rgb[at] = overWhite(pixel >> 16 & 0xFF, alpha);
      rgb[at + 1] = overWhite(pixel >> 8 & 0xFF, alpha);
      rgb[at + 2] = overWhite(pixel & 0xFF, alpha);
    }
  }

  private static byte overWhite(int colour, int alpha) {
    return (byte) ((colour * alpha + 255 * (255 - alpha) + 127) / 255);
  }

  /** The upright picture; rows that were not taken are black. */
  @NotNull
  public Pixels pixels() {
    return pixels;
  }
}
