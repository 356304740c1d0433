package org.pocketface.sdk;

import java.io.File;
import java.util.ArrayList;
import java.util.List;
import org.jetbrains.annotations.NotNull;
import org.jetbrains.annotations.Nullable;
import org.pocketface.sdk.manifest.Level;
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
  private final double milliseconds; // NaN where they were not measured

  /**
   * {@code variant} null: the bundle's default one; {@code threads}: how many one inference may use.
   *
   * @throws BundleException.Variant where there is no variant of that name
   * @throws PackedException where a packed variant cannot be rebuilt
   * @throws ModelRunException where a model's tensors are not those that the manifest states
   * @throws RuntimeMissingException where TensorFlow Lite's native library cannot be loaded
   */
  public Recognizer(@NotNull Bundle bundle, @Nullable String variant, int threads) {
    this(bundle, embedder(bundle, bundle.variant(variant), threads), threads, Double.NaN);
  }

  private Recognizer(Bundle bundle, Embedder embedder, int threads, double milliseconds) {
    this.bundle = bundle;
    this.embedder = embedder;
    this.milliseconds = milliseconds;
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

  /**
   * A recognizer of a level, by its name, of a variant's net; {@code variant} null: the bundle's default one. Levels of one net share
   * their templates: see {@link Bundle#templateVariant}.
   *
   * @throws BundleException.Variant where the variant has no levels, or none of that name; and the errors of the constructor
   */
  @NotNull
  public static Recognizer atLevel(@NotNull Bundle bundle, @Nullable String variant, @NotNull String level, int threads) {
    return new Recognizer(bundle, embedder(bundle, bundle.level(level, variant), threads), threads, Double.NaN);
  }

  /**
   * A recognizer of the widest level of a variant's net that embeds a face in at most {@code budgetMs} milliseconds on this device, which
   * is measured here, once: keep the recognizer, or the name of its variant. {@code variant} null: the bundle's default one.
   *
   * @throws BundleException.Variant where the variant has no levels; and the errors of the constructor
   * @throws BudgetException where no level is so fast
   */
  @NotNull
  public static Recognizer within(@NotNull Bundle bundle, @Nullable String variant, double budgetMs, int threads) {
    List<Level> levels = bundle.levels(variant).levels;
    if (!(budgetMs > 0)) {
      throw new BudgetException("budget: expected milliseconds above 0, got " + budgetMs);
    }
    List<String> found = new ArrayList<>();
    for (Level level : levels) {
      Embedder embedder = embedder(bundle, bundle.variant(level.variant), threads);
      double taken = Double.NaN;
      try {
        taken = embedder.milliseconds();
      } finally {
        if (!(taken <= budgetMs)) {
          embedder.close();
        }
      }
      if (taken <= budgetMs) {
        return new Recognizer(bundle, embedder, threads, taken);
      }
      found.add(level.name + ": " + taken);
    }
    throw new BudgetException(
        "budget: expected a level that embeds a face within " + budgetMs + " ms here, they take " + String.join(", ", found)
            + " ms; give more time, more threads, or name a level");
  }

  private static Embedder embedder(Bundle bundle, Variant variant, int threads) {
    return new Embedder(variant, bundle.manifest().preprocessing.input, bundle.model(variant.name), threads);
  }

  /** What an embedding took when the level was chosen by a budget; NaN: it was not measured. */
  public double milliseconds() {
    return milliseconds;
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
