package org.pocketface.sdk;

import org.jetbrains.annotations.NotNull;

/** threshold: a threshold that is no similarity, or none is known for what was asked. */
public final class ThresholdException extends PocketFaceException {
  public ThresholdException(@NotNull String message) {
    super("threshold", message);
  }
}
