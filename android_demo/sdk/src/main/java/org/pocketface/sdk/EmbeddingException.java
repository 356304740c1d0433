package org.pocketface.sdk;

import org.jetbrains.annotations.NotNull;

/** embedding: an embedding that is not finite, of length zero, or of another size than the one that it is compared with. */
public final class EmbeddingException extends PocketFaceException {
  public EmbeddingException(@NotNull String message) {
    super("embedding", message);
  }
}
