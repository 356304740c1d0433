package org.pocketface.demo;

/**
 * The bounds of {@link Quality}: at GATE a measure is just good enough, from GOOD on as good as can be. Written from
 * runtime_py/quality.json by `python -m toolchain.android.quality_bounds`; not to be edited.
 */
final class QualityBounds {
  /**
   * Distance of the eyes in the picture over that in the crop: below 1 the crop is made of invented pixels.
   */
  static final double SIZE_GATE = 1.0;
  static final double SIZE_GOOD = 1.8;

  /**
   * Share of the box that lies in the picture.
   */
  static final double INSIDE_GATE = 0.95;
  static final double INSIDE_GOOD = 1.0;

  /**
   * How far the nose is off the middle of the eyes, along them, in distances of the eyes: about half the tangent of the turn.
   */
  static final double SIDEWAYS_GATE = 0.25;
  static final double SIDEWAYS_GOOD = 0.08;

  /**
   * How far the nose is off the middle between eyes and mouth, in distances of eyes and mouth.
   */
  static final double UP_DOWN_GATE = 0.22;
  static final double UP_DOWN_GOOD = 0.1;

  /**
   * Degrees. Alignment turns the crop upright again, but the detector was made for upright faces.
   */
  static final double TILT_GATE = 25.0;
  static final double TILT_GOOD = 8.0;

  /**
   * Mean luma of the face, 0 to 255.
   */
  static final double DARK_GATE = 45.0;
  static final double DARK_GOOD = 80.0;

  /**
   * Mean luma of the face, 0 to 255.
   */
  static final double BRIGHT_GATE = 225.0;
  static final double BRIGHT_GOOD = 195.0;

  /**
   * Standard deviation of the luma.
   */
  static final double FLAT_GATE = 12.0;
  static final double FLAT_GOOD = 24.0;

  /**
   * Energy of the Laplacian over the variance of the luma: a crop blurred by a Gaussian of 1 pixel has about 0.04, by 2 pixels 0.007.
   */
  static final double SHARP_GATE = 0.01;
  static final double SHARP_GOOD = 0.03;

  private QualityBounds() {}
}
