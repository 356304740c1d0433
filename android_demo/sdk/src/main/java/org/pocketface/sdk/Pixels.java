package org.pocketface.sdk;

import org.jetbrains.annotations.NotNull;

/**
 * An upright 8-bit RGB picture {@code [height, width, 3]}: a photograph, a camera frame, or an aligned crop.
 *
 * <p>Pixels are counted from the centre of the upper left one, (0, 0): the picture reaches from −½ to width − ½. The array is
 * neither copied nor guarded, so that a camera can fill one buffer again and again; it must not change while the picture is in use.
 */
public final class Pixels {
  /** The most pixels of a picture: 134 million, 400 MB as RGB. The few phones that give more give smaller pictures as well. */
  public static final int MAX_PIXELS = 1 << 27;

  private final int height;
  private final int width;
  private final byte[] rgb;

  /**
   * Takes {@code rgb}, row by row from the upper left, as it is; {@code 3 * height * width} bytes.
   *
   * @throws ImageException.Array where the array has another length or a side is below 1
   * @throws ImageException.Size where it has more than {@link #MAX_PIXELS} pixels
   */
  public Pixels(int height, int width, @NotNull byte[] rgb) {
    check(height, width);
    if (rgb.length != 3 * height * width) {
      throw new ImageException.Array(
          "pixels: expected " + 3 * height * width + " bytes of RGB for " + height + " x " + width + ", got " + rgb.length);
    }
    this.height = height;
    this.width = width;
    this.rgb = rgb;
  }

  /**
   * A black picture.
   *
   * @throws ImageException as the constructor
   */
  @NotNull
  public static Pixels black(int height, int width) {
    check(height, width);
    return new Pixels(height, width, new byte[3 * height * width]);
  }

  private static void check(int height, int width) {
    if (height < 1 || width < 1) {
      throw new ImageException.Array("pixels: expected sides of 1 or more, got " + height + " x " + width);
    }
    if ((long) height * width > MAX_PIXELS) {
      throw new ImageException.Size(
          "pixels: expected at most " + MAX_PIXELS + " pixels, got " + height + " x " + width + "; scale the image down");
    }
  }

  /** Rows. */
  public int height() {
    return height;
  }

  /** Columns. */
  public int width() {
    return width;
  }

  /** The bytes themselves, not a copy: red, green, blue of each pixel, row by row; a byte is 0 to 255 after {@code & 255}. */
  @NotNull
  public byte[] rgb() {
    return rgb;
  }
}
