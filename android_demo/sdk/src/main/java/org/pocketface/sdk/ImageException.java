package org.pocketface.sdk;

import org.jetbrains.annotations.NotNull;

/** An image that cannot be used. */
public abstract class ImageException extends PocketFaceException {
  ImageException(String code, String message) {
    super(code, message);
  }

  /** image.format: not an image, or of a kind that is not read. */
  public static final class Format extends ImageException {
    public Format(@NotNull String message) {
      super("image.format", message);
    }
  }

  /** image.truncated: the image ends too early, or its data are damaged. */
  public static final class Truncated extends ImageException {
    public Truncated(@NotNull String message) {
      super("image.truncated", message);
    }
  }

  /** image.size: more pixels or bytes than are read, or than there is memory for. */
  public static final class Size extends ImageException {
    public Size(@NotNull String message) {
      super("image.size", message);
    }
  }

  /** image.mode: pixels that have no stated meaning as colours. */
  public static final class Mode extends ImageException {
    public Mode(@NotNull String message) {
      super("image.mode", message);
    }
  }

  /** image.array: an array of another shape than images have. */
  public static final class Array extends ImageException {
    public Array(@NotNull String message) {
      super("image.array", message);
    }
  }
}
