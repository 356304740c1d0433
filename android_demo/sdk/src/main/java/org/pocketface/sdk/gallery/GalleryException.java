package org.pocketface.sdk.gallery;

import org.jetbrains.annotations.NotNull;
import org.pocketface.sdk.PocketFaceException;

/** A gallery that cannot be read or written, or a change to it that makes no sense. The codes are those of docs/gallery-format.md. */
public abstract class GalleryException extends PocketFaceException {
  GalleryException(String code, String message) {
    super(code, message);
  }

  /** gallery.read: the file is there and cannot be read. */
  public static final class Read extends GalleryException {
    public Read(@NotNull String message) {
      super("gallery.read", message);
    }
  }

  /** gallery.write: the change is not acknowledged; the file is the one before it, or the one after it, and whole. */
  public static final class Write extends GalleryException {
    public Write(@NotNull String message) {
      super("gallery.write", message);
    }
  }

  /** gallery.format: not a gallery, cut off, or a field out of its bounds. */
  public static final class Format extends GalleryException {
    public Format(@NotNull String message) {
      super("gallery.format", message);
    }
  }

  /** gallery.version: a version of the format that this release does not know. */
  public static final class Version extends GalleryException {
    public Version(@NotNull String message) {
      super("gallery.version", message);
    }
  }

  /** gallery.limit: more than a gallery holds. */
  public static final class Limit extends GalleryException {
    public Limit(@NotNull String message) {
      super("gallery.limit", message);
    }
  }

  /** gallery.key: the key is not there, or the key store refuses to use it. */
  public static final class Key extends GalleryException {
    public Key(@NotNull String message) {
      super("gallery.key", message);
    }
  }

  /** gallery.authentication: what is sealed is not what was written, or it was written with another key. */
  public static final class Authentication extends GalleryException {
    public Authentication(@NotNull String message) {
      super("gallery.authentication", message);
    }
  }

  /** gallery.closed: it was closed before. */
  public static final class Closed extends GalleryException {
    public Closed(@NotNull String message) {
      super("gallery.closed", message);
    }
  }

  /** gallery.person: nobody with that id. */
  public static final class NoPerson extends GalleryException {
    public NoPerson(@NotNull String message) {
      super("gallery.person", message);
    }
  }

  /** gallery.duplicate: somebody else has that name. */
  public static final class Duplicate extends GalleryException {
    public Duplicate(@NotNull String message) {
      super("gallery.duplicate", message);
    }
  }

  /** gallery.name: empty, too long, or with characters that no name has. */
  public static final class Name extends GalleryException {
    public Name(@NotNull String message) {
      super("gallery.name", message);
    }
  }

  /** gallery.model: no such model as is stated, or templates and thresholds of different models. */
  public static final class Model extends GalleryException {
    public Model(@NotNull String message) {
      super("gallery.model", message);
    }
  }

  /** gallery.dimension: a template of another size than its model's. */
  public static final class Dimension extends GalleryException {
    public Dimension(@NotNull String message) {
      super("gallery.dimension", message);
    }
  }

  /** gallery.vector: a template with NaN or infinity, or no template at all. */
  public static final class Vector extends GalleryException {
    public Vector(@NotNull String message) {
      super("gallery.vector", message);
    }
  }

  /** gallery.normalisation: a template whose length is not 1. */
  public static final class Normalisation extends GalleryException {
    public Normalisation(@NotNull String message) {
      super("gallery.normalisation", message);
    }
  }
}
