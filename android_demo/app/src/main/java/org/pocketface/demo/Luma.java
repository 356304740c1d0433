package org.pocketface.demo;

import org.pocketface.sdk.Pixels;

/** Brightness, contrast and sharpness of the middle of an aligned crop, where the face is and little else. */
final class Luma {
  /** The middle: what is left when this share is cut off at each side. */
  private static final double MARGIN = 0.2;

  private final double mean;
  private final double variance;
  private final double sharpness;

  Luma(Pixels crop) {
    int top = (int) (MARGIN * crop.height());
    int left = (int) (MARGIN * crop.width());
    int height = crop.height() - 2 * top;
    int width = crop.width() - 2 * left;
    double[] luma = new double[height * width];
    double sum = 0;
    double squares = 0;
    for (int at = 0; at < luma.length; at++) {
      luma[at] = luma(crop, top + at / width, left + at % width);
      sum += luma[at];
      squares += luma[at] * luma[at];
    }
    mean = sum / luma.length;
    variance = Math.max(0, squares / luma.length - mean * mean);
    // A flat picture has a variance of 0, and noise of a grey level or two is no detail: hence at least 1.
    sharpness = laplacianEnergy(luma, height, width) / Math.max(variance, 1);
  }

  /** Mean luma, 0 to 255. */
  double mean() {
    return mean;
  }

  /** Standard deviation of the luma. */
  double deviation() {
    return Math.sqrt(variance);
  }

  /** Mean square of the luma's Laplacian over the luma's variance: how much of the contrast is fine detail. */
  double sharpness() {
    return sharpness;
  }

  /** Rec. 601. */
  private static double luma(Pixels crop, int row, int column) {
    byte[] rgb = crop.rgb();
    int at = 3 * (row * crop.width() + column);
    return 0.299 * (rgb[at] & 255) + 0.587 * (rgb[at + 1] & 255) + 0.114 * (rgb[at + 2] & 255);
  }

  private static double laplacianEnergy(double[] luma, int height, int width) {
    double sum = 0;
    for (int row = 1; row < height - 1; row++) {
      for (int column = 1; column < width - 1; column++) {
        int at = row * width + column;
        double laplacian = 4 * luma[at] - luma[at - 1] - luma[at + 1] - luma[at - width] - luma[at + width];
        sum += laplacian * laplacian;
      }
    }
    return sum / Math.max(1, (height - 2) * (width - 2));
  }
}
