package org.pocketface.sdk.manifest;

import org.jetbrains.annotations.NotNull;

/**
 * What a model takes: a picture of {@code height} x {@code width} pixels in the order {@code color}, where each tensor value is
 * pixel * scale + offset of an 8-bit pixel (0 to 255). For a variant with integer input this is still the real-valued range; its
 * own input quantization says how reals become integers.
 */
public final class InputContract {
  /** Rows, 1 to 4096. */
  public final int height;

  /** Columns, 1 to 4096. */
  public final int width;

  /** Order of the channels: {@code rgb} or {@code bgr}. */
  @NotNull public final String color;

  /** Never zero. */
  public final double scale;

  /** Tensor value of pixel 0. */
  public final double offset;

  InputContract(Fields fields) {
    fields.expect(new String[] {}, "height", "width", "color", "scale", "offset");
    height = fields.has("height") ? fields.size("height") : 112;
    width = fields.has("width") ? fields.size("width") : 112;
    color = fields.has("color") ? fields.oneOf("color", "rgb", "bgr") : "rgb";
    scale = fields.has("scale") ? fields.number("scale") : 2.0 / 255.0;
    offset = fields.has("offset") ? fields.number("offset") : -1.0;
    if (scale == 0) {
      throw fields.wrong("scale: expected any number but 0, got 0");
    }
  }
}
