package org.pocketface.sdk.manifest;

/** How integers stand for reals: real = scale * (integer - zeroPoint). */
public final class Quantization {
  /** Above 0. */
  public final double scale;

  /** The integer that stands for 0. */
  public final int zeroPoint;

  Quantization(Fields fields) {
    fields.expect(new String[] {"scale", "zero_point"});
    scale = fields.number("scale", 0, Double.MAX_VALUE);
    zeroPoint = (int) fields.integer("zero_point", -128, 255);
    if (scale == 0) {
      throw fields.wrong("scale: expected a number above 0, got 0");
    }
  }
}
