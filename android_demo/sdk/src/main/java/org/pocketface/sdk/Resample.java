package org.pocketface.sdk;

import org.jetbrains.annotations.NotNull;

/**
 * The one resampler, {@code area-bilinear}: area reduction by whole factors, then bilinear (docs/photograph-to-embedding.md, section 2).
 *
 * <p>All arithmetic is in doubles in the order written, so the Python runtime gives the same bytes. Coordinates count pixel centres.
 */
public final class Resample {
  private Resample() {}

  /**
   * {@code [height, width, 3]}: what lies at {@code source} of each output pixel in {@code image}; black outside it. {@code source} maps
   * output coordinates to those of the image. Where one step in the output is {@code k} or more pixels of the image
   * (k = ⌊√|a·e − b·d|⌋ ≥ 2), the image is first reduced by {@code k}: bilinear sampling alone would skip pixels.
   */
  @NotNull
  public static Pixels warp(@NotNull Pixels image, @NotNull Affine source, int height, int width) {
    int step = (int) Math.max(1, Math.floor(Math.sqrt(Math.abs(source.a * source.e - source.b * source.d))));
    int rows = (image.height() + step - 1) / step;
    int columns = (image.width() + step - 1) / step;
    // An affine map has its extremes at the corners, also after rounding, which never changes the order of two numbers.
    double[] x = new double[4];
    double[] y = new double[4];
    for (int corner = 0; corner < 4; corner++) {
      int column = corner % 2 * (width - 1);
      int row = corner / 2 * (height - 1);
      x[corner] = x(source, column, row, step);
      y[corner] = y(source, column, row, step);
    }
    int left = first(x, columns);
    int right = last(x, columns);
    int top = first(y, rows);
    int bottom = last(y, rows);
    byte[] result = new byte[3 * height * width];
    if (left < right && top < bottom) {
      Region region = new Region(image, step, left, top, right - left, bottom - top);
      for (int row = 0, at = 0; row < height; row++) {
        for (int column = 0; column < width; column++, at += 3) {
          region.sample(x(source, column, row, step) - left, y(source, column, row, step) - top, result, at);
        }
      }
    }
    return new Pixels(height, width, result);
  }

  private static double x(Affine source, int column, int row, int step) {
    return (source.a * column + source.b * row + source.c - (step - 1) / 2.0) / step;
  }

  private static double y(Affine source, int column, int row, int step) {
    return (source.d * column + source.e * row + source.f - (step - 1) / 2.0) / step;
  }

  /** The first of {@code size} pixels that bilinear sampling at coordinates between these touches. */
  private static int first(double[] coordinates, int size) {
    double least = Math.min(Math.min(coordinates[0], coordinates[1]), Math.min(coordinates[2], coordinates[3]));
    return (int) Math.min(Math.max(Math.floor(least), 0), size);
  }

  /** One past the last of them. */
  private static int last(double[] coordinates, int size) {
    double most = Math.max(Math.max(coordinates[0], coordinates[1]), Math.max(coordinates[2], coordinates[3]));
    return (int) Math.min(Math.max(Math.floor(most) + 2, 0), size);
  }

  /** A part of the reduced image, {@code left} and so on counted in its pixels. */
  private static final class Region {
    private final byte[] rgb;
    private final int stride;
    private final int origin;
    private final int width;
    private final int height;

    Region(Pixels image, int step, int left, int top, int width, int height) {
      this.width = width;
      this.height = height;
      if (step == 1) {
        rgb = image.rgb();
        stride = 3 * image.width();
        origin = top * stride + 3 * left;
      } else {
        rgb = reduce(image, step, left, top, width, height);
        stride = 3 * width;
        origin = 0;
      }
    }

    /** ⌊(1−v)·((1−u)·p₀₀ + u·p₀₁) + v·((1−u)·p₁₀ + u·p₁₁) + ½⌋ of each channel, u and v the fractions of x and y. */
    void sample(double x, double y, byte[] result, int at) {
      double column = Math.floor(x);
      double row = Math.floor(y);
      double u = x - column;
      double v = y - row;
      // What lies one pixel outside is as black as whatever lies further out, so the numbers stay small.
      int x0 = (int) Math.min(Math.max(column, -1), width);
      int x1 = (int) Math.min(Math.max(column + 1, -1), width);
      int y0 = (int) Math.min(Math.max(row, -1), height);
      int y1 = (int) Math.min(Math.max(row + 1, -1), height);
      for (int channel = 0; channel < 3; channel++) {
        double upper = (1 - u) * pixel(x0, y0, channel) + u * pixel(x1, y0, channel);
        double lower = (1 - u) * pixel(x0, y1, channel) + u * pixel(x1, y1, channel);
        result[at + channel] = (byte) Math.floor((1 - v) * upper + v * lower + 0.5);
      }
    }

    private int pixel(int column, int row, int channel) {
      if (column < 0 || row < 0 || column >= width || row >= height) {
        return 0;
      }
      return rgb[origin + row * stride + 3 * column + channel] & 0xFF;
    }
  }

  /**
   * The mean of each block of {@code step} x {@code step} pixels, rounded half up, for {@code height} x {@code width} blocks from block
   * ({@code left}, {@code top}); a block that the right or lower edge cuts takes the mean of the pixels that it has.
   */
  static byte[] reduce(Pixels image, int step, int left, int top, int width, int height) {
    byte[] source = image.rgb();
    byte[] result = new byte[3 * height * width];
    for (int row = 0, at = 0; row < height; row++) {
      int firstRow = (top + row) * step;
      int lastRow = Math.min(firstRow + step, image.height());
      for (int column = 0; column < width; column++, at += 3) {
        int firstColumn = (left + column) * step;
        int lastColumn = Math.min(firstColumn + step, image.width());
        long count = (long) (lastRow - firstRow) * (lastColumn - firstColumn);
        long red = 0;
        long green = 0;
        long blue = 0;
        for (int y = firstRow; y < lastRow; y++) {
          int from = 3 * (y * image.width() + firstColumn);
          int to = from + 3 * (lastColumn - firstColumn);
          for (int pixel = from; pixel < to; pixel += 3) {
            red += source[pixel] & 0xFF;
            green += source[pixel + 1] & 0xFF;
            blue += source[pixel + 2] & 0xFF;
          }
        }
        result[at] = (byte) ((2 * red + count) / (2 * count));
        result[at + 1] = (byte) ((2 * green + count) / (2 * count));
        result[at + 2] = (byte) ((2 * blue + count) / (2 * count));
      }
    }
    return result;
  }
}
