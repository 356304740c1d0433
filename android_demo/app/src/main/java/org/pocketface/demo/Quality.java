package org.pocketface.demo;

import org.pocketface.sdk.Pixels;

/**
 * Whether the picture of a face is good enough to enrol from: large, whole, looking at the camera, lit and sharp.
 *
 * <p>Rules of thumb that a person can act upon, each from where it says so; not a learned measure of how well a picture will match.
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

  // Each measure: its gate, then from where it is as good as can be.

  /** Distance of the eyes in the frame over that in the crop: below 1 the crop is made of invented pixels. */
  private static final double SIZE_GATE = 1.0, SIZE_GOOD = 1.8;
  /** Share of the box that lies in the frame. */
  private static final double INSIDE_GATE = 0.95, INSIDE_GOOD = 1.0;
  /** How far the nose is off the middle of the eyes, along them, in distances of the eyes: about half the tangent of the turn. */
  private static final double SIDEWAYS_GATE = 0.25, SIDEWAYS_GOOD = 0.08;
  /** How far the nose is off the middle between eyes and mouth, in distances of eyes and mouth. */
  private static final double UP_DOWN_GATE = 0.22, UP_DOWN_GOOD = 0.10;
  /** Degrees. Alignment turns the crop upright again, but the detector was made for upright faces. */
  private static final double TILT_GATE = 25, TILT_GOOD = 8;
  /** Mean luma of the face, 0 to 255. */
  private static final double DARK_GATE = 45, DARK_GOOD = 80;
  private static final double BRIGHT_GATE = 225, BRIGHT_GOOD = 195;
  /** Standard deviation of the luma. */
  private static final double FLAT_GATE = 12, FLAT_GOOD = 24;
  /** Energy of the Laplacian over the variance of the luma: a crop blurred by a Gaussian of 1 pixel has about 0.04, by 2 pixels 0.007. */
  private static final double SHARP_GATE = 0.01, SHARP_GOOD = 0.03;

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
   * @param cropEyeDistance how far the eyes are apart in a crop, in its pixels; NaN where that is not known
   */
  public static Quality of(Pixels frame, double[] box, FacePoints points, Pixels crop, double cropEyeDistance) {
    Quality quality = ofCrop(frame, box, crop);
    if (!Double.isNaN(cropEyeDistance)) {
      quality.atLeast(points.eyeDistance() / cropEyeDistance, SIZE_GATE, SIZE_GOOD, Flaw.SMALL);
    }
    quality.atMost(Math.abs(points.sideways()), SIDEWAYS_GATE, SIDEWAYS_GOOD, Flaw.SIDEWAYS);
    quality.atMost(Math.abs(points.upDown()), UP_DOWN_GATE, UP_DOWN_GOOD, Flaw.UP_DOWN);
    quality.atMost(Math.abs(points.tiltDegrees()), TILT_GATE, TILT_GOOD, Flaw.TILTED);
    return quality;
  }

  /** Judges a face of which eyes, nose and mouth are not known: neither its size nor how the head is held. */
  public static Quality ofCrop(Pixels frame, double[] box, Pixels crop) {
    Quality quality = new Quality();
    quality.atLeast(shareInside(frame, box), INSIDE_GATE, INSIDE_GOOD, Flaw.CUT_OFF);
    Luma luma = new Luma(crop);
    quality.atLeast(luma.mean(), DARK_GATE, DARK_GOOD, Flaw.DARK);
    quality.atMost(luma.mean(), BRIGHT_GATE, BRIGHT_GOOD, Flaw.BRIGHT);
    quality.atLeast(luma.deviation(), FLAT_GATE, FLAT_GOOD, Flaw.FLAT);
    quality.atLeast(luma.sharpness(), SHARP_GATE, SHARP_GOOD, Flaw.BLURRED);
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
