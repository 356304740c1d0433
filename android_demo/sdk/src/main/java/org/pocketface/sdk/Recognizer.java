package org.pocketface.sdk;

import java.io.File;
import java.util.List;
import org.jetbrains.annotations.NotNull;
import org.jetbrains.annotations.Nullable;
import org.pocketface.sdk.manifest.Variant;

/**
 * One variant of a bundle, with the bundle's detector: finds, aligns, embeds and compares faces. May be shared between threads; close it
 * when it is no longer needed.
 *
 * <pre>
 * try (Recognizer recognizer = Recognizer.load(new File(getFilesDir(), "face.pface"))) {
 *   Face enrolled = recognizer.faces(photograph).get(0);
 *   Face seen = recognizer.faces(frame).get(0);
 *   boolean same = recognizer.verify(enrolled, seen, Matching.DEFAULT_FMR).same();
 * }
 * </pre>
 *
 * There is no liveness detection in it: a printed picture of a face is a face.
 */
public final class Recognizer implements AutoCloseable {
  private final Bundle bundle;
  private final Embedder embedder;
  private final Finder finder; // null where the bundle has no detector

  /**
   * {@code variant} null: the bundle's default one; {@code threads}: how many one inference may use.
   *
   * @throws BundleException.Variant where there is no variant of that name
   * @throws PackedException where a packed variant cannot be rebuilt
   * @throws ModelRunException where a model's tensors are not those that the manifest states
   * @throws RuntimeMissingException where TensorFlow Lite's native library cannot be loaded
   */
  public Recognizer(@NotNull Bundle bundle, @Nullable String variant, int threads) {
    this.bundle = bundle;
    Variant stated = bundle.variant(variant);
    embedder = new Embedder(stated, bundle.manifest().preprocessing.input, bundle.model(stated.name), threads);
    Finder made = null;
    boolean complete = false;
    try {
      made = bundle.manifest().detector == null ? null : new Finder(bundle, threads);
      complete = true;
    } finally {
      if (!complete) {
        embedder.close();
      }
    }
    finder = made;
  }

  /**
   * A recognizer of the default variant of the bundle in {@code file}, one thread an inference. The file is mapped: see
   * {@link Bundle#open}. Errors: those of {@link Bundle#open} and of the constructor.
   */
  @NotNull
  public static Recognizer load(@NotNull File file) {
    return new Recognizer(Bundle.open(file), null, 1);
  }

  /** The bundle. */
  @NotNull
  public Bundle bundle() {
    return bundle;
  }

  /** What the manifest says of the variant. */
  @NotNull
  public Variant variant() {
    return embedder.variant();
  }

  /** The embedder alone. */
  @NotNull
  public Embedder embedder() {
    return embedder;
  }

  /**
   * The detector and aligner alone, which take a photograph without a face as no error: for a camera's frames.
   *
   * @throws FaceException.NoDetector where the bundle has no detector
   */
  @NotNull
  public Finder finder() {
    if (finder == null) {
      throw Finder.noDetector(bundle);
    }
    return finder;
  }

  /**
   * The faces of a photograph, largest first; at least one.
   *
   * @throws FaceException.NoDetector where the bundle has no detector
   * @throws FaceException.None where there is no face
   */
  @NotNull
  public List<Face> faces(@NotNull Pixels photograph) {
    List<Face> found = finder().faces(photograph);
    if (found.isEmpty()) {
      throw new FaceException.None("expected a face, found none; a face must be upright and a tenth of the longer side or more");
    }
    return found;
  }

  /** The embedding {@code [D]}, of length 1, of a face. Errors: those of {@link Embedder#embed}. */
  @NotNull
  public float[] embed(@NotNull Face face) {
    return embedder.embed(face.crop);
  }

  /**
   * Whether two faces are one person's, at the false match rate {@code fmr} ({@link Matching#DEFAULT_FMR} is one): of so many
   * comparisons of different people one is taken for one person's, by the threshold that the manifest states for this variant.
   *
   * @throws ThresholdException where the manifest has none for that rate
   */
  @NotNull
  public Verification verify(@NotNull Face first, @NotNull Face second, double fmr) {
    return compare(first, second, Matching.thresholdAt(variant(), fmr), fmr);
  }

  /**
   * Whether two faces are one person's, by a threshold on their similarity, which holds for one variant of one model only.
   *
   * @throws ThresholdException where {@code threshold} is no similarity
   */
  @NotNull
  public Verification verifyAbove(@NotNull Face first, @NotNull Face second, double threshold) {
    return compare(first, second, Matching.checkThreshold(threshold), null);
  }

  private Verification compare(Face first, Face second, double threshold, @Nullable Double fmr) {
    return new Verification(Matching.similarity(embed(first), embed(second)), threshold, fmr);
  }

  @Override
  public void close() {
    embedder.close();
    if (finder != null) {
      finder.close();
    }
  }
}
