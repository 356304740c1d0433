package org.pocketface.sdk;

import java.nio.ByteBuffer;
import org.jetbrains.annotations.NotNull;

/**
 * A camera frame as Android gives it ({@code ImageFormat.YUV_420_888}): luma of each pixel, chroma of each two by two of them, in the
 * full range of JFIF (ITU-T T.871), which is what cameras deliver for that format.
 *
 * <p>It refers to the planes and copies none of them: use it before the image is closed.
 */
public final class YuvFrame {
  /** One of the three planes: a byte every {@code pixelStride} bytes, a row every {@code rowStride} bytes, from the buffer's position. */
  public static final class Plane {
    final ByteBuffer bytes;
    final int rowStride;
    final int pixelStride;

    /** {@code bytes} remain where they are; its position does not change. */
    public Plane(@NotNull ByteBuffer bytes, int rowStride, int pixelStride) {
      this.bytes = bytes.duplicate();
      this.rowStride = rowStride;
      this.pixelStride = pixelStride;
    }

    private void check(String name, int rows, int columns) {
      long needed = (long) (rows - 1) * rowStride + (long) (columns - 1) * pixelStride + 1;
      if (rowStride < 1 || pixelStride < 1 || bytes.remaining() < needed) {
        throw new ImageException.Array(
            "frame: expected " + needed + " bytes of plane " + name + " (row stride " + rowStride + ", pixel stride " + pixelStride
                + "), got " + bytes.remaining());
      }
    }

    /** Copies a row into {@code row}, from its first pixel's byte to its last one's. */
    private void read(int number, byte[] row) {
      ByteBuffer from = bytes.duplicate();
      from.position(bytes.position() + number * rowStride);
      from.get(row);
    }
  }

  // T.871, section 7, in units of 2^-16.
  private static final int RED_OF_V = 91881;
  private static final int GREEN_OF_U = -22554;
  private static final int GREEN_OF_V = -46802;
  private static final int BLUE_OF_U = 116130;
  private static final int HALF = 1 << 15;

  private final int height;
  private final int width;
  private final Plane y;
  private final Plane u;
  private final Plane v;

  /**
   * Takes a frame as the camera delivers it, before it is turned.
   *
   * @throws ImageException.Array where a side is below 1 or a plane is too short
   */
  public YuvFrame(int height, int width, @NotNull Plane y, @NotNull Plane u, @NotNull Plane v) {
    if (height < 1 || width < 1) {
      throw new ImageException.Array("frame: expected sides of 1 or more, got " + height + " x " + width);
    }
    y.check("Y", height, width);
    u.check("U", (height + 1) / 2, (width + 1) / 2);
    v.check("V", (height + 1) / 2, (width + 1) / 2);
    this.height = height;
    this.width = width;
    this.y = y;
    this.u = u;
    this.v = v;
  }

  /** Rows after a turn by {@code clockwiseDegrees}. */
  public int uprightHeight(int clockwiseDegrees) {
    return clockwiseDegrees % 180 == 0 ? height : width;
  }

  /** Columns after a turn by {@code clockwiseDegrees}. */
  public int uprightWidth(int clockwiseDegrees) {
    return clockwiseDegrees % 180 == 0 ? width : height;
  }

  /**
   * Writes the frame, turned, as RGB into {@code into} {@code [uprightHeight, uprightWidth, 3]}. Nothing is mirrored.
   *
   * @param clockwiseDegrees 0, 90, 180 or 270
   * @throws IllegalArgumentException for any other angle
   * @throws ImageException.Array where {@code into} has other sides
   */
  public void toUpright(int clockwiseDegrees, @NotNull Pixels into) {
    if (clockwiseDegrees < 0 || clockwiseDegrees > 270 || clockwiseDegrees % 90 != 0) {
      throw new IllegalArgumentException("frame: expected a turn of 0, 90, 180 or 270 degrees, got " + clockwiseDegrees);
    }
    if (into.height() != uprightHeight(clockwiseDegrees) || into.width() != uprightWidth(clockwiseDegrees)) {
      throw new ImageException.Array(
          "frame: expected room for " + uprightHeight(clockwiseDegrees) + " x " + uprightWidth(clockwiseDegrees) + " pixels, got "
              + into.height() + " x " + into.width());
    }
    byte[] luma = new byte[(width - 1) * y.pixelStride + 1];
    byte[] blue = new byte[((width + 1) / 2 - 1) * u.pixelStride + 1];
    byte[] red = new byte[((width + 1) / 2 - 1) * v.pixelStride + 1];
    for (int row = 0; row < height; row++) {
      y.read(row, luma);
      if (row % 2 == 0) {
        u.read(row / 2, blue);
        v.read(row / 2, red);
      }
      int[] place = place(clockwiseDegrees, row);
      write(luma, blue, red, into.rgb(), 3 * place[0], 3 * place[1]);
    }
  }

  /** Of a row of the frame: where its first pixel goes, and how far each next one is from it, in pixels of the turned picture. */
  private int[] place(int clockwiseDegrees, int row) {
    switch (clockwiseDegrees) {
      case 0:
        return new int[] {row * width, 1};
      case 90:
        return new int[] {height - 1 - row, height};
      case 180:
        return new int[] {(height - row) * width - 1, -1};
      default:
        return new int[] {(width - 1) * height + row, -height};
    }
  }

  private void write(byte[] luma, byte[] blue, byte[] red, byte[] rgb, int first, int step) {
    for (int column = 0, at = first; column < width; column++, at += step) {
      int grey = ((luma[column * y.pixelStride] & 255) << 16) + HALF;
      int cb = (blue[column / 2 * u.pixelStride] & 255) - 128;
      int cr = (red[column / 2 * v.pixelStride] & 255) - 128;
      rgb[at] = level(grey + RED_OF_V * cr);
      rgb[at + 1] = level(grey + GREEN_OF_U * cb + GREEN_OF_V * cr);
      rgb[at + 2] = level(grey + BLUE_OF_U * cb);
    }
  }

  /** From units of 2^-16 to a grey level, cut to 0 to 255. */
  private static byte level(int fixed) {
    int value = fixed >> 16;
    return (byte) (value < 0 ? 0 : value > 255 ? 255 : value);
  }
}
