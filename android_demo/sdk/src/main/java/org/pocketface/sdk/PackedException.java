package org.pocketface.sdk;

import org.jetbrains.annotations.NotNull;

/** A packed variant that cannot be rebuilt. */
public abstract class PackedException extends PocketFaceException {
  PackedException(String code, String message) {
    super(code, message);
  }

  /** packed.format: not the packed form, or a field of it is out of its bounds. */
  public static final class Format extends PackedException {
    public Format(@NotNull String message) {
      super("packed.format", message);
    }
  }

  /** packed.version: a version of the packed form that this release does not know. */
  public static final class Version extends PackedException {
    public Version(@NotNull String message) {
      super("packed.version", message);
    }
  }

  /** packed.limit: rebuilding would take more memory than a stated limit. */
  public static final class Limit extends PackedException {
    public Limit(@NotNull String message) {
      super("packed.limit", message);
    }
  }

  /** packed.stream: a compressed stream is damaged, too short or too long. */
  public static final class Stream extends PackedException {
    public Stream(@NotNull String message) {
      super("packed.stream", message);
    }
  }

  /** packed.hash: what was rebuilt is not what was packed. */
  public static final class Hash extends PackedException {
    public Hash(@NotNull String message) {
      super("packed.hash", message);
    }
  }
}
