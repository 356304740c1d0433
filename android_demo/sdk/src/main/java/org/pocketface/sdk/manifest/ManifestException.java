package org.pocketface.sdk.manifest;

/** The manifest breaks its schema; the message names the place. {@link Manifest#read} gives it the bundle's name. */
final class ManifestException extends RuntimeException {
  ManifestException(String message) {
    super(message);
  }
}
