package org.pocketface.sdk;

/** Whether two faces are one person's. */
public final class Verification {
  /** Cosine of the two embeddings, −1 to 1; rises with likeness. */
  public final double similarity;

  /** The least similarity that counts as the same person. */
  public final double threshold;

  public Verification(double similarity, double threshold) {
    this.similarity = similarity;
    this.threshold = threshold;
  }

  /** Whether the similarity reaches the threshold. */
  public boolean same() {
    return similarity >= threshold;
  }
}
