package org.pocketface.sdk.manifest;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.jetbrains.annotations.NotNull;

/** Embeddings of one runtime against those of another on the same images, each L2-normalised. */
public final class Parity {
  /** What was checked. */
  @NotNull public final String runtime;

  /** What it was compared with. */
  @NotNull public final String against;

  /** Images. */
  public final long faces;

  /** Largest difference of a component. */
  public final double maxAbs;

  /** Least cosine of an image's two embeddings. */
  public final double minCosine;

  /** Their first percentile. */
  public final double p1Cosine;

  Parity(Fields fields) {
    fields.expect(new String[] {"runtime", "against", "faces", "max_abs", "min_cosine", "p1_cosine"});
    runtime = fields.text("runtime");
    against = fields.text("against");
    faces = fields.count("faces");
    maxAbs = fields.number("max_abs", 0, 2);
    minCosine = fields.cosine("min_cosine");
    p1Cosine = fields.cosine("p1_cosine");
  }

  static List<Parity> list(List<Fields> items) {
    List<Parity> result = new ArrayList<>();
    for (Fields item : items) {
      result.add(new Parity(item));
    }
    return Collections.unmodifiableList(result);
  }
}
