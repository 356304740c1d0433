package org.pocketface.sdk;

import org.jetbrains.annotations.NotNull;

/**
 * Base of everything that the SDK throws because of bad input. {@link #code()} is the same as in the Python runtime (docs/bundle-format.md)
 * and stays the same between releases; the message is one line for people: what was expected, what came, where, and what to do.
 *
 * <pre>
 * PocketFaceException
 * ├── BundleException          a .pface file that cannot be used
 * │   ├── Read                 bundle.read       missing, or cannot be read
 * │   ├── Container            bundle.container  not a bundle, or its container differs from the one form allowed
 * │   ├── Hash                 bundle.hash       the bytes differ from those that were written
 * │   ├── Version              bundle.version    written in a schema that this release does not know
 * │   ├── Manifest             bundle.manifest   the manifest breaks its schema
 * │   ├── Model                bundle.model      a blob that should be a .tflite is not one
 * │   └── Variant              bundle.variant    no variant or file of that name
 * ├── PackedException          a packed variant that cannot be rebuilt
 * │   ├── Format               packed.format     not the packed form, or a field out of its bounds
 * │   ├── Version              packed.version    a version of the packed form that this release does not know
 * │   ├── Limit                packed.limit      it would grow past a stated limit
 * │   ├── Stream               packed.stream     a compressed stream is damaged, too short or too long
 * │   └── Hash                 packed.hash       what was rebuilt is not what was packed
 * ├── SourceException          source            a picture that cannot be opened or read
 * ├── ImageException           an image that cannot be used
 * │   ├── Format               image.format      not an image, or of a kind that is not read
 * │   ├── Truncated            image.truncated   it ends too early, or its data are damaged
 * │   ├── Size                 image.size        more pixels or bytes than are read, or than memory holds
 * │   ├── Mode                 image.mode        pixels that have no stated meaning as colours
 * │   └── Array                image.array       an array of another shape than images have
 * ├── FaceException            a photograph's faces cannot be had
 * │   ├── None                 face.none         the detector found none
 * │   ├── NoDetector           face.detector     the bundle has no detector
 * │   └── Alignment            face.alignment    key points that no crop can be aligned on
 * ├── RuntimeMissingException  runtime.missing   TFLite's native library cannot be loaded
 * ├── ModelRunException        runtime.model     TFLite refused a model, or its tensors are not those stated
 * ├── EmbeddingException       embedding         not finite, of length zero, or of another size
 * ├── ThresholdException       threshold         not a similarity, or none is known for what was asked
 * ├── BudgetException          budget            no level of a net embeds a face in the time that was given
 * └── GalleryException         gallery.…         a gallery that cannot be used (package gallery; docs/gallery-format.md)
 * </pre>
 *
 * Unchecked, as Kotlin has no other kind. What is thrown on purpose is said of every method. Mistakes of the caller are Java's own:
 * {@link IllegalStateException} for what is closed, {@link IllegalArgumentException} for fewer threads than one.
 */
public abstract class PocketFaceException extends RuntimeException {
  private final String code;

  /** Takes the stable code and the message, one line. */
  protected PocketFaceException(@NotNull String code, @NotNull String message) {
    super(message);
    this.code = code;
  }

  /** The stable name of what went wrong, such as {@code bundle.hash}: for code to act on, where the message is for people. */
  @NotNull
  public final String code() {
    return code;
  }
}
