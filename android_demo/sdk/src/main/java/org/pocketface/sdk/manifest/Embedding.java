package org.pocketface.sdk.manifest;

import org.jetbrains.annotations.NotNull;

/** What an embedding is: so many numbers, L2-normalised after the net, compared by their dot product. */
public final class Embedding {
  /** Numbers in an embedding, 1 to 4096. */
  public final int size;

  /** {@code cosine}. */
  @NotNull public final String metric;

  /** {@code l2}. */
  @NotNull public final String normalisation;

  Embedding(Fields fields) {
    fields.expect(new String[] {"size", "metric", "normalisation"});
    size = fields.size("size");
    metric = fields.oneOf("metric", "cosine");
    normalisation = fields.oneOf("normalisation", "l2");
  }
}
