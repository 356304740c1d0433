package org.pocketface.demo;

/** Where eyes, nose and mouth of a face lie, in pixels, and what that says of how the head is held. Left and right are the picture's sides. */
public final class FacePoints {
  private final double eyesX;
  private final double eyesY;
  private final double alongX;
  private final double alongY;
  private final double[] nose;
  private final double[] mouth;

  /** Each point is {@code {x, y}}. */
  public FacePoints(double[] leftEye, double[] rightEye, double[] nose, double[] mouth) {
    eyesX = (leftEye[0] + rightEye[0]) / 2;
    eyesY = (leftEye[1] + rightEye[1]) / 2;
    alongX = rightEye[0] - leftEye[0];
    alongY = rightEye[1] - leftEye[1];
    this.nose = nose;
    this.mouth = mouth;
  }

  /** Whether they say how a head is held: not where the eyes are in one place, or the mouth is on their line. */
  public boolean makeAFace() {
    return eyeDistance() > 0 && across(mouth) != 0;
  }

  /** Pixels from eye to eye. */
  public double eyeDistance() {
    return Math.hypot(alongX, alongY);
  }

  /** How the line through the eyes leans, in degrees; clockwise is positive. */
  public double tiltDegrees() {
    return Math.toDegrees(Math.atan2(alongY, alongX));
  }

  /** How far the nose is from the middle of the eyes, along the eyes' line, in distances of the eyes; to the right is positive. */
  public double sideways() {
    double squares = alongX * alongX + alongY * alongY;
    return ((nose[0] - eyesX) * alongX + (nose[1] - eyesY) * alongY) / squares;
  }

  /**
   * How far the nose is from half-way between the eyes and the mouth, across the eyes' line, in distances of eyes and mouth; towards the
   * mouth is positive. A head that looks up or down moves it.
   */
  public double upDown() {
    return across(nose) / across(mouth) - 0.5;
  }

  /** How far a point is from the eyes' line, in pixels times the distance of the eyes; below the eyes is positive. */
  private double across(double[] point) {
    return -(point[0] - eyesX) * alongY + (point[1] - eyesY) * alongX;
  }
}
