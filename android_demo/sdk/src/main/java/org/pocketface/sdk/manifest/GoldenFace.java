package org.pocketface.sdk.manifest;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.jetbrains.annotations.NotNull;

/** A face that the detector must find in a golden image. */
public final class GoldenFace {
  /** Left, top, right, bottom, in pixels. */
  @NotNull public final List<Double> box;

  /** Of the detector. */
  public final double score;

  /** (x, y) of each, in the detector's order, in pixels. */
  @NotNull public final List<List<Double>> keyPoints;

  /** Path of the crop aligned on these key points, as PNG. */
  @NotNull public final String crop;

  /** Of the float32 little-endian NHWC input tensor that the crop becomes. */
  @NotNull public final String tensorSha256;

  GoldenFace(Fields fields) {
    fields.expect(new String[] {"box", "score", "key_points", "crop", "tensor_sha256"});
    box = fields.numbers("box", 4);
    score = fields.share("score");
    keyPoints = fields.points("key_points");
    crop = fields.path("crop");
    tensorSha256 = fields.sha256("tensor_sha256");
  }

  static List<GoldenFace> list(List<Fields> items) {
    List<GoldenFace> result = new ArrayList<>();
    for (Fields item : items) {
      result.add(new GoldenFace(item));
    }
    return Collections.unmodifiableList(result);
  }
}
