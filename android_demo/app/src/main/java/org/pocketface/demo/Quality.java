package org.pocketface.demo;

import org.pocketface.sdk.Pixels;

/**
 * Whether the picture of a face is good enough to enrol from: large, whole, looking at the camera, lit and sharp.
 *
 * <p>Rules of thumb that a person can act upon; not a learned measure of how well a picture will match. {@link QualityBounds} says what
 * each measures.
 */
public final class Quality {
  /** What is wrong with a picture, each with what to do about it. */
  public enum Flaw {
    SMALL,
    CUT_OFF,
    SIDEWAYS,
    UP_DOWN,
    TILTED,
    DARK,
    BRIGHT,
    FLAT,
    BLURRED
  }

  /** Where the picture is just good enough: the score of a face of which one measure is at its gate. */
  public static final double GATE = 0.5;

  private double score = 1;
  private Flaw worst;

  private Quality() {}

  /**
   * Judges a face.
   *
   * @param frame the picture that it is in
   * @param box left, top, right, bottom, in pixels of the frame
   * @param points where its parts lie, in pixels of the frame
   * @param crop the aligned face
   * @param cropEyeDistance how far the eyes are apart in a crop, in its pixels
   */
  public static Quality of(Pixels frame, double[] box, FacePoints points, Pixels crop, double cropEyeDistance) {
    Quality quality = ofCrop(frame, box, crop);
    if (!points.makeAFace()) {
      quality.atLeast(0, QualityBounds.SIZE_GATE, QualityBounds.SIZE_GOOD, Flaw.SMALL);
      return quality;
    }
    quality.atLeast(points.eyeDistance() / cropEyeDistance, QualityBounds.SIZE_GATE, QualityBounds.SIZE_GOOD, Flaw.SMALL);
    quality.atMost(Math.abs(points.sideways()), QualityBounds.SIDEWAYS_GATE, QualityBounds.SIDEWAYS_GOOD, Flaw.SIDEWAYS);
    quality.atMost(Math.abs(points.upDown()), QualityBounds.UP_DOWN_GATE, QualityBounds.UP_DOWN_GOOD, Flaw.UP_DOWN);
    quality.atMost(Math.abs(points.tiltDegrees()), QualityBounds.TILT_GATE, QualityBounds.TILT_GOOD, Flaw.TILTED);
    return quality;
  }

  /** Judges a face of which eyes, nose and mouth, or the eyes' places in a crop, are not known: neither its size nor how the head is held. */
  public static Quality ofCrop(Pixels frame, double[] box, Pixels crop) {
    Quality quality = new Quality();
    quality.atLeast(shareInside(frame, box), QualityBounds.INSIDE_GATE, QualityBounds.INSIDE_GOOD, Flaw.CUT_OFF);
    Luma luma = new Luma(crop);
    quality.atLeast(luma.mean(), QualityBounds.DARK_GATE, QualityBounds.DARK_GOOD, Flaw.DARK);
    quality.atMost(luma.mean(), QualityBounds.BRIGHT_GATE, QualityBounds.BRIGHT_GOOD, Flaw.BRIGHT);
    quality.atLeast(luma.deviation(), QualityBounds.FLAT_GATE, QualityBounds.FLAT_GOOD, Flaw.FLAT);
    quality.atLeast(luma.sharpness(), QualityBounds.SHARP_GATE, QualityBounds.SHARP_GOOD, Flaw.BLURRED);
    return quality;
  }

  /** 0 to 1, that of the worst measure; below {@link #GATE} not good enough. */
  public double score() {
    return score;
  }

  /** What is worst where that is not good enough, otherwise null. */
  public Flaw flaw() {
    return score < GATE ? worst : null;
  }

  private void atLeast(double value, double gate, double good, Flaw flaw) {
    add((value - gate) / (good - gate), flaw);
  }

  private void atMost(double value, double gate, double good, Flaw flaw) {
    add((gate - value) / (gate - good), flaw);
  }

  /** {@code margin} is 0 at the gate and 1 from where it is good. */
  private void add(double margin, Flaw flaw) {
    double own = Math.max(0, Math.min(1, GATE + (1 - GATE) * margin));
    if (own < score) {
      score = own;
      worst = flaw;
    }
  }

  private static double shareInside(Pixels frame, double[] box) {
    double across = Math.min(box[2], frame.width() - 0.5) - Math.max(box[0], -0.5);
    double down = Math.min(box[3], frame.height() - 0.5) - Math.max(box[1], -0.5);
    double area = (box[2] - box[0]) * (box[3] - box[1]);
    return area > 0 ? Math.max(0, across) * Math.max(0, down) / area : 0;
  }
}
