package org.pocketface.demo;

/** A face in a frame: where, how good its picture is, and who is most like it. */
public final class SeenFace {
  private final double[] box;
  private final Quality quality;
  private final float[] embedding;
  private final Nearest nearest;

  /**
   * @param box left, top, right, bottom, in pixels of the frame
   * @param embedding of length 1
   * @param nearest null where nobody is enrolled
   */
  public SeenFace(double[] box, Quality quality, float[] embedding, Nearest nearest) {
    this.box = box;
    this.quality = quality;
    this.embedding = embedding;
    this.nearest = nearest;
  }

  /** Left, top, right, bottom, in pixels of the frame. */
  public double[] box() {
    return box;
  }

  /** How good the picture is. */
  public Quality quality() {
    return quality;
  }

  /** Its embedding, of length 1. */
  public float[] embedding() {
    return embedding;
  }

  /** Who is most like it; null where nobody is enrolled. */
  public Nearest nearest() {
    return nearest;
  }

  /** Who it is, by {@code threshold} on the similarity; null where nobody is that like it, or the threshold is NaN: none is known. */
  public Nearest match(double threshold) {
    return nearest != null && nearest.similarity() >= threshold ? nearest : null;
  }
}
