package org.pocketface.sdk;

import org.jetbrains.annotations.NotNull;

/** source: a picture that cannot be opened or read. */
public final class SourceException extends PocketFaceException {
  public SourceException(@NotNull String message) {
    super("source", message);
  }
}
