package org.pocketface.sdk.manifest;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.jetbrains.annotations.NotNull;

/** One form of the model. */
public final class Variant {
  /** Distinct among the variants of a bundle. */
  @NotNull public final String name;

  /** Path of its blob. */
  @NotNull public final String file;

  /** Whether the blob is the packed form and is rebuilt before it runs. */
  public final boolean packed;

  /** Of the .tflite that runs. */
  @NotNull public final String sha256;

  /** Bytes of the .tflite that runs. */
  public final long size;

  /** {@code [1, height, width, 3]}. */
  @NotNull public final TensorSpec input;

  /** {@code [1, embedding size]}. */
  @NotNull public final TensorSpec output;

  /** Its sizes. */
  @NotNull public final Bytes bytes;

  /**
   * Path of a blob of float32, little-endian, {@code [faces, embedding size]}: the L2-normalised embedding of each golden face in
   * the manifest's order.
   */
  @NotNull public final String golden;

  /** A runtime is right where each cosine with the golden embeddings is at least this. */
  public final double goldenMinCosine;

  /** Runtimes against one another. */
  @NotNull public final List<Parity> parity;

  /** What it reaches. */
  @NotNull public final List<Accuracy> accuracy;

  /** Similarity thresholds by false match rate. */
  @NotNull public final List<Threshold> thresholds;

  /** Rates that the data could not support. */
  @NotNull public final List<UnsupportedThreshold> thresholdsLeftOut;

  /** Against the fp32 variant. */
  @NotNull public final List<FaceTerms> faceTerms;

  /** Gates that it missed, where its maker let it in all the same. */
  @NotNull public final List<String> missedGates;

  Variant(Fields fields) {
    fields.expect(
        new String[] {
          "name", "file", "packed", "sha256", "size", "input", "output", "bytes", "golden", "golden_min_cosine", "parity",
          "accuracy"
        },
        "thresholds", "thresholds_left_out", "face_terms", "missed_gates");
    name = fields.name("name");
    file = fields.path("file");
    packed = fields.flag("packed");
    sha256 = fields.sha256("sha256");
    size = fields.count("size");
    input = new TensorSpec(fields.object("input"));
    output = new TensorSpec(fields.object("output"));
    bytes = new Bytes(fields.object("bytes"));
    golden = fields.path("golden");
    goldenMinCosine = fields.cosine("golden_min_cosine");
    parity = Parity.list(fields.items("parity", 0));
    accuracy = Accuracy.list(fields.items("accuracy", 0));
    thresholds = Threshold.list(fields.items("thresholds", 0));
    thresholdsLeftOut = UnsupportedThreshold.list(fields.items("thresholds_left_out", 0));
    faceTerms = FaceTerms.list(fields.items("face_terms", 0));
    missedGates = fields.textList("missed_gates");
  }

  static List<Variant> list(List<Fields> items) {
    List<Variant> result = new ArrayList<>();
    for (Fields item : items) {
      result.add(new Variant(item));
    }
    return Collections.unmodifiableList(result);
  }
}
