package org.pocketface.sdk;

import java.util.ArrayList;
import java.util.List;
import org.jetbrains.annotations.NotNull;
import org.pocketface.sdk.manifest.Threshold;
import org.pocketface.sdk.manifest.UnsupportedThreshold;
import org.pocketface.sdk.manifest.Variant;

/** Compares embeddings: similarity is the cosine, and rises with likeness. */
public final class Matching {
  /** The false match rate whose threshold is used where none is asked for: one in a thousand pairs of different people. */
  public static final double DEFAULT_FMR = 0.001;

  private Matching() {}

  /**
   * The cosine, −1 to 1, of two embeddings of one model.
   *
   * @throws EmbeddingException where their sizes differ, or one holds NaN or infinity or has length zero
   */
  public static double similarity(@NotNull float[] first, @NotNull float[] second) {
    return similarities(first, new float[][] {second})[0];
  }

  /**
   * The cosines {@code [N]} of {@code probe} {@code [D]} with each of {@code others} {@code [N][D]}.
   *
   * @throws EmbeddingException as {@link #similarity}
   */
  @NotNull
  public static double[] similarities(@NotNull float[] probe, @NotNull float[][] others) {
    double length = length(probe);
    double[] result = new double[others.length];
    for (int index = 0; index < others.length; index++) {
      float[] other = others[index];
      double otherLength = length(other);
      if (other.length != probe.length) {
        throw new EmbeddingException(
            "similarity: expected embeddings of one size, got " + probe.length + " and " + other.length
                + "; compare those of one model only");
      }
      double dot = 0;
      for (int at = 0; at < probe.length; at++) {
        dot += probe[at] / length * (other[at] / otherLength);
      }
      result[index] = Math.min(Math.max(dot, -1), 1);
    }
    return result;
  }

  private static double length(float[] embedding) {
    double sum = 0;
    for (float value : embedding) {
      sum += (double) value * value;
    }
    double length = Math.sqrt(sum);
    if (Double.isNaN(length) || Double.isInfinite(length) || length <= 0) {
      throw new EmbeddingException("similarity: expected embeddings of finite length above 0, got NaN, infinity or zeros");
    }
    return length;
  }

  /**
   * The similarity at which {@code variant} has the false match rate {@code fmr}, as its manifest states.
   *
   * @throws ThresholdException where the manifest has none for that rate
   */
  public static double thresholdAt(@NotNull Variant variant, double fmr) {
    return thresholdAt(variant, variant.thresholds, fmr);
  }

  /**
   * The same among {@code thresholds}, which are {@code variant}'s or those that it shares with other levels of its net
   * ({@link Bundle#sharedThresholds}).
   *
   * @throws ThresholdException where none is for that rate
   */
  public static double thresholdAt(@NotNull Variant variant, @NotNull List<Threshold> thresholds, double fmr) {
    List<String> known = new ArrayList<>();
    for (Threshold threshold : thresholds) {
      if (threshold.fmr == fmr) {
        return threshold.similarity;
      }
      known.add(String.valueOf(threshold.fmr));
    }
    String why = "";
    for (UnsupportedThreshold leftOut : variant.thresholdsLeftOut) {
      why = leftOut.fmr == fmr ? " (left out: " + leftOut.reason + ")" : why;
    }
    throw new ThresholdException(
        "variant " + variant.name + ": expected a false match rate that its manifest has a threshold for ("
            + (known.isEmpty() ? "none" : String.join(", ", known)) + "), got " + fmr + why
            + "; calibrate the bundle on more faces by `toolchain calibrate`");
  }

  /**
   * {@code threshold} itself, where it can be a similarity.
   *
   * @throws ThresholdException where it is not from −1 to 1
   */
  public static double checkThreshold(double threshold) {
    if (!(threshold >= -1 && threshold <= 1)) {
      throw new ThresholdException("threshold: expected a similarity from -1 to 1, got " + threshold);
    }
    return threshold;
  }
}
