package org.pocketface.sdk.gallery;

import java.util.List;
import org.jetbrains.annotations.NotNull;
import org.jetbrains.annotations.Nullable;
import org.pocketface.sdk.Bundle;
import org.pocketface.sdk.Matching;
import org.pocketface.sdk.ThresholdException;
import org.pocketface.sdk.manifest.Threshold;
import org.pocketface.sdk.manifest.Variant;

/**
 * The similarity from which a comparison counts as a match, and what is known of its errors.
 *
 * <p>The false match rate (FMR) is that of one comparison of two templates; a manifest states thresholds for some rates. Who is not
 * enrolled and is searched for among N templates has N chances to match falsely, so the false positive identification rate (FPIR) is
 * at most N · FMR, whatever the comparisons have to do with one another (Boole's inequality). Hence the FMR that an FPIR needs is
 * FPIR / N, N being the templates, not the people.
 */
public final class OperatingPoint {
  @Nullable private final String model;
  private final double similarity;
  private final double fmr;

  private OperatingPoint(String model, double similarity, double fmr) {
    this.model = model;
    this.similarity = similarity;
    this.fmr = fmr;
  }

  /**
   * Where a {@code variant} of {@code bundle} has the false match rate {@code fmr}, as its manifest states; of a level of a net by a
   * threshold that holds whichever level made the template.
   *
   * @throws ThresholdException where the manifest states none for that rate
   */
  @NotNull
  public static OperatingPoint atFmr(@NotNull Bundle bundle, @NotNull Variant variant, double fmr) {
    double similarity = Matching.thresholdAt(variant, bundle.sharedThresholds(variant), fmr);
    return new OperatingPoint(bundle.templateVariant(variant).sha256, similarity, fmr);
  }

  /**
   * Where a search among {@code comparisons} templates finds somebody for at most the share {@code fpir} of those who are not
   * enrolled: the stated threshold of the largest rate that is at most fpir / comparisons; of a level of a net one that holds whichever
   * level made the template.
   *
   * @param comparisons how many templates are searched, {@link Templates#size}; 0 counts as 1
   * @throws ThresholdException where the smallest rate that the manifest has a threshold for is larger: the data that it was measured
   *     on do not reach that far
   */
  @NotNull
  public static OperatingPoint atFpir(@NotNull Bundle bundle, @NotNull Variant variant, double fpir, int comparisons) {
    double[][] known = known(bundle.sharedThresholds(variant));
    int chosen = atFpir(variant.name, known[0], fpir, comparisons);
    return new OperatingPoint(bundle.templateVariant(variant).sha256, known[1][chosen], known[0][chosen]);
  }

  /** The index of the largest of `rates` that is at most fpir / comparisons. */
  static int atFpir(String name, double[] rates, double fpir, int comparisons) {
    if (!(fpir > 0 && fpir <= 1)) {
      throw new ThresholdException(
          "variant " + name + ": expected a false positive identification rate above 0 and at most 1, got " + fpir);
    }
    int count = Math.max(1, comparisons);
    int chosen = -1;
    double least = Double.POSITIVE_INFINITY;
    for (int at = 0; at < rates.length; at++) {
      // Compared as products: 0.01 / 10 is not 0.001 in binary, and just below it.
      boolean enough = rates[at] * count <= fpir * (1 + 1e-9);
      if (enough && (chosen < 0 || rates[at] > rates[chosen])) {
        chosen = at;
      }
      least = Math.min(least, rates[at]);
    }
    if (chosen < 0) {
      long most = (long) Math.floor(fpir * (1 + 1e-9) / least);
      String has = rates.length == 0
          ? "none at all; make some by `toolchain calibrate`"
          : "none below " + least + ", which reaches " + most + " templates; enrol fewer, accept a larger rate, or calibrate on more "
              + "people by `toolchain calibrate`";
      throw new ThresholdException("variant " + name + ": expected a threshold for a false match rate of " + fpir / count + " (" + fpir
          + " over " + count + " templates), its manifest has " + has);
    }
    return chosen;
  }

  /**
   * A threshold of one's own, of which no rate is known.
   *
   * @param similarity −1 to 1
   * @throws ThresholdException where it is no similarity
   */
  @NotNull
  public static OperatingPoint atSimilarity(double similarity) {
    return new OperatingPoint(null, Matching.checkThreshold(similarity), Double.NaN);
  }

  /** From this similarity on a comparison is a match. */
  public double similarity() {
    return similarity;
  }

  /** The false match rate of one comparison there; NaN where none is known. */
  public double fmr() {
    return fmr;
  }

  /** What the false positive identification rate of a search among {@code comparisons} templates is at most; NaN where none is known. */
  public double fpirBound(int comparisons) {
    return Math.min(1, fmr * comparisons);
  }

  /** A threshold holds for the model that it was measured with. */
  void check(TemplateModel templates) {
    if (model != null && !model.equals(templates.sha256())) {
      throw new GalleryException.Model("match: expected a threshold of the model that made the templates (" + templates + "), got one of "
          + model.substring(0, 16) + "…; take the one of that model's bundle");
    }
  }

  /** [rates, similarities] of `thresholds`. */
  private static double[][] known(List<Threshold> thresholds) {
    double[][] known = new double[2][thresholds.size()];
    for (int at = 0; at < thresholds.size(); at++) {
      known[0][at] = thresholds.get(at).fmr;
      known[1][at] = thresholds.get(at).similarity;
    }
    return known;
  }

  @Override
  public String toString() {
    return "similarity of at least " + similarity + (Double.isNaN(fmr) ? "" : ", false match rate " + fmr);
  }
}
