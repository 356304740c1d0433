package org.pocketface.sdk.gallery;

import org.jetbrains.annotations.NotNull;
import org.pocketface.sdk.manifest.Variant;

/**
 * The model that made a template. Templates of different models are not to be compared, not even of two variants of one net:
 * their sha256 differ. Two are equal where their sha256 are: what the variant is called does not matter.
 */
public final class TemplateModel {
  /** As in a bundle's manifest. */
  static final int MAX_SIZE = 4096;

  static final int MAX_VARIANT_BYTES = 255;

  private final String sha256;
  private final String variant;
  private final int size;

  /**
   * Takes what the manifest says of a variant.
   *
   * @param sha256 of the .tflite that runs, 64 hexadecimal digits in lower case
   * @param variant the variant's name
   * @param size numbers in an embedding, 1 to 4096
   * @throws GalleryException.Model where one of them is none
   */
  public TemplateModel(@NotNull String sha256, @NotNull String variant, int size) {
    if (!sha256.matches("[0-9a-f]{64}")) {
      throw new GalleryException.Model("model: expected a sha256 of 64 hexadecimal digits in lower case, got '" + sha256
          + "'; give the one of the variant in the manifest");
    }
    if (!variant.matches("[a-z0-9][a-z0-9._-]*") || variant.length() > MAX_VARIANT_BYTES) {
      throw new GalleryException.Model("model: expected a variant's name of a-z, 0-9, '.', '_', '-', got '" + variant + "'");
    }
    if (size < 1 || size > MAX_SIZE) {
      throw new GalleryException.Model("model: expected an embedding of 1 to " + MAX_SIZE + " numbers, got " + size);
    }
    this.sha256 = sha256;
    this.variant = variant;
    this.size = size;
  }

  /** The model that a bundle's {@code variant} is. Of a level of a net give {@link org.pocketface.sdk.Bundle#templateVariant}. */
  @NotNull
  public static TemplateModel of(@NotNull Variant variant) {
    return new TemplateModel(variant.sha256, variant.name, variant.output.shape.get(1));
  }

  /** sha256 of the .tflite, 64 hexadecimal digits in lower case. */
  @NotNull
  public String sha256() {
    return sha256;
  }

  /** The variant's name in its bundle's manifest. */
  @NotNull
  public String variant() {
    return variant;
  }

  /** Numbers in an embedding. */
  public int size() {
    return size;
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof TemplateModel && sha256.equals(((TemplateModel) other).sha256);
  }

  @Override
  public int hashCode() {
    return sha256.hashCode();
  }

  @Override
  public String toString() {
    return variant + " " + sha256.substring(0, 16) + "… [" + size + "]";
  }
}
