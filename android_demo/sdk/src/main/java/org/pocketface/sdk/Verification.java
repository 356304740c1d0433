package org.pocketface.sdk;

import org.jetbrains.annotations.Nullable;

/** Whether two faces are one person's. */
public final class Verification {
  /** Cosine of the two embeddings, −1 to 1; rises with likeness. */
  public final double similarity;

  /** The least similarity that counts as the same person. */
  public final double threshold;

  /** The false match rate of the threshold; null where the threshold was given as it is. */
  @Nullable public final Double fmr;

  public Verification(double similarity, double threshold, @Nullable Double fmr) {
    this.similarity = similarity;
    this.threshold = threshold;
    this.fmr = fmr;
  }

  /** Whether the similarity reaches the threshold. */
  public boolean same() {
    return similarity >= threshold;
  }
}
