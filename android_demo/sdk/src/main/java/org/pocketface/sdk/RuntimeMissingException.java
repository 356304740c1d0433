package org.pocketface.sdk;

import org.jetbrains.annotations.NotNull;

/** runtime.missing: TFLite's native library cannot be loaded on this machine. */
public final class RuntimeMissingException extends PocketFaceException {
  public RuntimeMissingException(@NotNull String message) {
    super("runtime.missing", message);
  }
}
