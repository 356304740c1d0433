package org.pocketface.sdk;

import org.jetbrains.annotations.NotNull;

/** runtime.model: TFLite refused a model, or its tensors are not those that were stated. */
public final class ModelRunException extends PocketFaceException {
  public ModelRunException(@NotNull String message) {
    super("runtime.model", message);
  }
}
