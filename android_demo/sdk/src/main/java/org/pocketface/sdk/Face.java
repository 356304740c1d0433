package org.pocketface.sdk;

import org.jetbrains.annotations.NotNull;

/** A face in a photograph: where it is, and it aligned to the model's template. */
public final class Face {
  /** Where it is. */
  @NotNull public final Detection detection;

  /** The aligned crop, of the model's input size. */
  @NotNull public final Pixels crop;

  public Face(@NotNull Detection detection, @NotNull Pixels crop) {
    this.detection = detection;
    this.crop = crop;
  }
}
