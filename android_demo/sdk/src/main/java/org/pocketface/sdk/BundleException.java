package org.pocketface.sdk;

import org.jetbrains.annotations.NotNull;

/** A .pface file that cannot be used. */
public abstract class BundleException extends PocketFaceException {
  BundleException(String code, String message) {
    super(code, message);
  }

  /** bundle.read: the file is missing, is no file, or cannot be read. */
  public static final class Read extends BundleException {
    public Read(@NotNull String message) {
      super("bundle.read", message);
    }
  }

  /** bundle.container: not a bundle, or its zip structure is not the one form that is allowed. */
  public static final class Container extends BundleException {
    public Container(@NotNull String message) {
      super("bundle.container", message);
    }
  }

  /** bundle.hash: the whole file, or one blob in it, is not what was written. */
  public static final class Hash extends BundleException {
    public Hash(@NotNull String message) {
      super("bundle.hash", message);
    }
  }

  /** bundle.version: the manifest is of a schema version that this release does not know. */
  public static final class Version extends BundleException {
    public Version(@NotNull String message) {
      super("bundle.version", message);
    }
  }

  /** bundle.manifest: the manifest breaks its schema. */
  public static final class Manifest extends BundleException {
    public Manifest(@NotNull String message) {
      super("bundle.manifest", message);
    }
  }

  /** bundle.model: a blob that should be a .tflite does not have a .tflite's structure. */
  public static final class Model extends BundleException {
    public Model(@NotNull String message) {
      super("bundle.model", message);
    }
  }

  /** bundle.variant: the bundle has no variant or file of the name that was asked for. */
  public static final class Variant extends BundleException {
    public Variant(@NotNull String message) {
      super("bundle.variant", message);
    }
  }
}
