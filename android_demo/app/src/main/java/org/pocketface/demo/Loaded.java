package org.pocketface.demo;

import org.pocketface.sdk.PocketFaceException;

/** What came of loading the model and the gallery: recognition, or why there is none. */
public final class Loaded {
  private final Recognition recognition;
  private final PocketFaceException error;
  private final boolean galleryFailed;

  private Loaded(Recognition recognition, PocketFaceException error, boolean galleryFailed) {
    this.recognition = recognition;
    this.error = error;
    this.galleryFailed = galleryFailed;
  }

  static Loaded ready(Recognition recognition) {
    return new Loaded(recognition, null, false);
  }

  static Loaded modelFailed(PocketFaceException error) {
    return new Loaded(null, error, false);
  }

  static Loaded galleryFailed(PocketFaceException error) {
    return new Loaded(null, error, true);
  }

  /** Null where it failed. */
  public Recognition recognition() {
    return recognition;
  }

  /** Why it failed; null where it did not. */
  public PocketFaceException error() {
    return error;
  }

  /** Whether it is the gallery that cannot be read, and not the model. */
  public boolean galleryFailed() {
    return galleryFailed;
  }
}
