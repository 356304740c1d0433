package org.pocketface.sdk.manifest;

import java.util.List;
import org.jetbrains.annotations.NotNull;

/**
 * A BlazeFace face detector (Bazarevsky et al., arXiv:1907.05047): what its decoder needs. Left and right are the photograph's
 * sides, not the person's.
 */
public final class DetectorSettings {
  /** Name of the detector. */
  @NotNull public final String name;

  /** Path of its .tflite. */
  @NotNull public final String file;

  /** Where it comes from. */
  @NotNull public final String source;

  /** Its licence. */
  @NotNull public final String licence;

  /** Size, colour order and range of the input. */
  @NotNull public final InputContract input;

  /** {@code letterbox}: aspect ratio kept, centred, black around. */
  @NotNull public final String fit;

  /**
   * Name of the output {@code [1, anchors, 4 + 2 * key points]}: centre x, y, width, height, then x, y of each key point, in input
   * pixels relative to the anchor's centre.
   */
  @NotNull public final String boxes;

  /** Name of the output {@code [1, anchors, 1]}: logits. */
  @NotNull public final String scores;

  /** Where the anchors lie. */
  @NotNull public final Anchors anchors;

  /** Names of the key points, in the order of the output. */
  @NotNull public final List<String> keyPoints;

  /** Logits are cut to plus and minus this. */
  public final double scoreLimit;

  /** Faces below it go. */
  public final double minScore;

  /** Boxes that overlap by more (intersection over union) become one face. */
  public final double minOverlap;

  /** {@code weighted}. */
  @NotNull public final String suppression;

  /** Name of the template that its points align to. */
  @NotNull public final String template;

  DetectorSettings(Fields fields) {
    fields.expect(
        new String[] {
          "name", "file", "source", "licence", "input", "fit", "boxes", "scores", "anchors", "key_points", "score_limit",
          "min_score", "min_overlap", "suppression", "template"
        });
    name = fields.name("name");
    file = fields.path("file");
    source = fields.text("source");
    licence = fields.text("licence");
    input = new InputContract(fields.object("input"));
    fit = fields.oneOf("fit", "letterbox");
    boxes = fields.text("boxes");
    scores = fields.text("scores");
    anchors = new Anchors(fields.object("anchors"));
    keyPoints = fields.names("key_points", 2);
    scoreLimit = fields.number("score_limit", 0, Double.MAX_VALUE);
    minScore = fields.share("min_score");
    minOverlap = fields.share("min_overlap");
    suppression = fields.oneOf("suppression", "weighted");
    template = fields.name("template");
  }
}
