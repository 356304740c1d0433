package org.pocketface.sdk;

import org.jetbrains.annotations.NotNull;

/**
 * From key points to an aligned crop: the similarity transform of least squares, then the one resampler.
 *
 * <p>S. Umeyama, Least-squares estimation of transformation parameters between two point patterns, IEEE PAMI 13(4), 1991. In the plane
 * its equations 40 to 42 have a closed form without a singular value decomposition, so every language gets the same bits.
 */
public final class Aligner {
  /**
   * No point lies further out, and no pixel of a crop covers more of a photograph: with larger numbers whole pixels are no longer told
   * apart, and steps no longer fit 64 bits.
   */
  static final double FARTHEST = 1e9;

  private static final double LEAST_SPREAD = 1e-6; // pixels²: points this close together have no direction

  private Aligner() {}

  /**
   * The rotation, scale and shift that bring {@code source} nearest to {@code target} (least sum of squares), both {@code [K][2]} (x, y).
   *
   * <p>With p, q the points less their means, a = Σ p·q / Σ p·p and b = Σ (p_x q_y − p_y q_x) / Σ p·p: X = a·x − b·y + c,
   * Y = b·x + a·y + f. There is no reflection.
   *
   * @throws FaceException.Alignment where there are fewer than 2 points, or they coincide, or lie beyond ±1e9
   */
  @NotNull
  public static Affine similarity(@NotNull double[][] source, @NotNull double[][] target) {
    int count = source.length;
    if (count < 2 || target.length != count) {
      throw new FaceException.Alignment(
          "alignment: expected the same points twice, 2 or more, got " + count + " and " + target.length);
    }
    if (!near(source) || !near(target)) {
      throw new FaceException.Alignment(
          "alignment: expected key points within " + FARTHEST + " pixels, got points that are further out or not finite");
    }
    // Plain sums in the order of the points: the same in every language.
    double meanPx = mean(source, 0);
    double meanPy = mean(source, 1);
    double meanQx = mean(target, 0);
    double meanQy = mean(target, 1);
    double spread = 0;
    double along = 0;
    double across = 0;
    for (int point = 0; point < count; point++) {
      double px = source[point][0] - meanPx;
      double py = source[point][1] - meanPy;
      double qx = target[point][0] - meanQx;
      double qy = target[point][1] - meanQy;
      spread += px * px + py * py;
      along += px * qx + py * qy;
      across += px * qy - py * qx;
    }
    double sum = spread + along + across;
    boolean finite = !Double.isNaN(sum) && !Double.isInfinite(sum);
    if (!(finite && spread > LEAST_SPREAD && along * along + across * across > 0)) {
      throw new FaceException.Alignment(
          "alignment: expected key points apart from one another, got points that coincide or are not finite");
    }
    double a = along / spread;
    double b = across / spread;
    if (a * a + b * b < 1 / (FARTHEST * FARTHEST)) {
      throw new FaceException.Alignment(
          "alignment: expected key points that are scaled by " + 1 / FARTHEST + " or more, got points much further apart");
    }
    return new Affine(a, -b, meanQx - a * meanPx + b * meanPy, b, a, meanQy - b * meanPx - a * meanPy);
  }

  /** Whether every coordinate is; not where one is NaN. */
  static boolean near(double[]... points) {
    for (double[] point : points) {
      for (double value : point) {
        if (!(Math.abs(value) <= FARTHEST)) {
          return false;
        }
      }
    }
    return true;
  }

  private static double mean(double[][] points, int axis) {
    double sum = 0;
    for (double[] point : points) {
      sum += point[axis];
    }
    return sum / points.length;
  }

  /** The transform that undoes a similarity transform. */
  @NotNull
  public static Affine inverse(@NotNull Affine transform) {
    double size = transform.a * transform.a + transform.d * transform.d;
    double u = transform.a / size;
    double v = transform.d / size;
    return new Affine(u, v, -(u * transform.c + v * transform.f), -v, u, v * transform.c - u * transform.f);
  }

  /**
   * The crop {@code [height, width, 3]} of {@code photograph} whose {@code keyPoints} {@code [K][2]} (x, y) lie nearest to
   * {@code template} {@code [K][2]}; black where it reaches past the photograph. Coordinates count pixel centres.
   *
   * @throws FaceException.Alignment as {@link #similarity}
   */
  @NotNull
  public static Pixels align(
      @NotNull Pixels photograph, @NotNull double[][] keyPoints, @NotNull double[][] template, int height, int width) {
    return Resample.warp(photograph, inverse(similarity(keyPoints, template)), height, width);
  }
}
