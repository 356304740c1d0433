package org.pocketface.sdk;

import org.jetbrains.annotations.NotNull;

/** A photograph's faces cannot be had. */
public abstract class FaceException extends PocketFaceException {
  FaceException(String code, String message) {
    super(code, message);
  }

  /** face.none: the detector found no face. */
  public static final class None extends FaceException {
    public None(@NotNull String message) {
      super("face.none", message);
    }
  }

  /** face.detector: the bundle has no detector. */
  public static final class NoDetector extends FaceException {
    public NoDetector(@NotNull String message) {
      super("face.detector", message);
    }
  }

  /** face.alignment: key points that no crop can be aligned on. */
  public static final class Alignment extends FaceException {
    public Alignment(@NotNull String message) {
      super("face.alignment", message);
    }
  }
}
