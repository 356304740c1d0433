package org.pocketface.sdk;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import org.jetbrains.annotations.NotNull;
import org.pocketface.sdk.manifest.Golden;
import org.pocketface.sdk.manifest.GoldenFace;
import org.pocketface.sdk.manifest.GoldenImage;
import org.pocketface.sdk.manifest.InputContract;
import org.pocketface.sdk.manifest.Variant;

/** Runs a bundle's golden vectors: does this machine compute what the machine that built the bundle did? */
public final class SelfTest {
  private final Bundle bundle;
  private final int threads;
  private final List<Check> checks = new ArrayList<>();

  private SelfTest(Bundle bundle, int threads) {
    this.bundle = bundle;
    this.threads = threads;
  }

  /**
   * Every golden vector: the detector finds the faces where they are, the crop aligned on the stored key points is the stored crop, the
   * tensor of the stored crop is the stated one, and each variant's embeddings of the stored crops are the stored ones. Takes seconds.
   *
   * <p>What cannot be run at all is a check that failed, not an error.
   */
  @NotNull
  public static List<Check> run(@NotNull Bundle bundle, int threads) {
    SelfTest test = new SelfTest(bundle, threads);
    test.checkDetector();
    test.checkCrops();
    return Collections.unmodifiableList(test.checks);
  }

  /** The tensor of each stored crop, and each variant's embeddings of them. */
  private void checkCrops() {
    List<GoldenFace> faces = new ArrayList<>();
    List<Pixels> crops = new ArrayList<>();
    try {
      for (GoldenImage image : bundle.manifest().golden.images) {
        for (GoldenFace face : image.faces) {
          faces.add(face);
          crops.add(picture(face.crop));
        }
      }
    } catch (PocketFaceException error) {
      checks.add(new Check("crops", false, error.getMessage(), 0));
      return;
    }
    for (int face = 0; face < faces.size(); face++) {
      checkTensor(faces.get(face), crops.get(face));
    }
    for (Variant variant : bundle.manifest().variants) {
      checkVariant(variant, crops);
    }
  }

  private Pixels picture(String path) {
    return Png.read(bundle.blob(path), path);
  }

  private void checkDetector() {
    if (bundle.manifest().detector == null) {
      return;
    }
    Finder finder;
    try {
      finder = new Finder(bundle, threads);
    } catch (PocketFaceException error) {
      checks.add(new Check("detector", false, error.getMessage(), 0));
      return;
    }
    try {
      for (GoldenImage image : bundle.manifest().golden.images) {
        checkImage(image, finder);
      }
    } finally {
      finder.close();
    }
  }

  /** Boxes and key points, then the crop on the stored key points, of each face of a photograph. */
  private void checkImage(GoldenImage image, Finder finder) {
    String name = "detect " + image.image;
    Pixels photograph;
    List<Detection> detections;
    long start;
    try {
      photograph = picture(image.image);
      start = System.nanoTime();
      detections = finder.detector().find(photograph);
    } catch (PocketFaceException error) {
      checks.add(new Check(name, false, error.getMessage(), 0));
      return;
    }
    double milliseconds = since(start);
    if (detections.size() != image.faces.size()) {
      checks.add(new Check(name, false, "expected " + image.faces.size() + " faces, found " + detections.size(), milliseconds));
      return;
    }
    double tolerance = bundle.manifest().golden.pixelTolerance;
    for (int number = 0; number < detections.size(); number++) {
      GoldenFace face = image.faces.get(number);
      double away = distance(face, detections.get(number));
      String detail = String.format(Locale.ROOT, "points within %.4f pixels (at most %s)", away, tolerance);
      checks.add(new Check(name + "#" + number, away <= tolerance, detail, milliseconds));
      checkCrop(face, photograph, finder);
    }
  }

  /** The largest difference of a coordinate, in pixels. */
  private static double distance(GoldenFace face, Detection seen) {
    double[][] points = seen.keyPoints();
    if (points.length != face.keyPoints.size()) {
      return Double.POSITIVE_INFINITY;
    }
    double[] box = {seen.left, seen.top, seen.right, seen.bottom};
    double away = 0;
    for (int side = 0; side < box.length; side++) {
      away = Math.max(away, Math.abs(box[side] - face.box.get(side)));
    }
    for (int point = 0; point < points.length; point++) {
      away = Math.max(away, Math.abs(points[point][0] - face.keyPoints.get(point).get(0)));
      away = Math.max(away, Math.abs(points[point][1] - face.keyPoints.get(point).get(1)));
    }
    return away;
  }

  private void checkCrop(GoldenFace face, Pixels photograph, Finder finder) {
    Golden golden = bundle.manifest().golden;
    double[][] points = new double[face.keyPoints.size()][];
    for (int point = 0; point < points.length; point++) {
      points[point] = new double[] {face.keyPoints.get(point).get(0), face.keyPoints.get(point).get(1)};
    }
    String name = "align " + face.crop;
    Pixels stored;
    Pixels crop;
    long start;
    try {
      stored = picture(face.crop);
      start = System.nanoTime();
      crop = finder.crop(photograph, points);
    } catch (PocketFaceException error) {
      checks.add(new Check(name, false, error.getMessage(), 0));
      return;
    }
    double milliseconds = since(start);
    if (crop.height() != stored.height() || crop.width() != stored.width()) {
      String detail = "expected " + stored.height() + " x " + stored.width() + ", got " + crop.height() + " x " + crop.width();
      checks.add(new Check(name, false, detail, milliseconds));
      return;
    }
    int away = 0;
    for (int at = 0; at < crop.rgb().length; at++) {
      away = Math.max(away, Math.abs((crop.rgb()[at] & 0xFF) - (stored.rgb()[at] & 0xFF)));
    }
    String detail = "crop within " + away + " grey levels (at most " + golden.cropTolerance + ")";
    checks.add(new Check(name, away <= golden.cropTolerance, detail, milliseconds));
  }

  private void checkTensor(GoldenFace face, Pixels crop) {
    InputContract contract = bundle.manifest().preprocessing.input;
    long start = System.nanoTime();
    ByteBuffer tensor = new InputTable(contract, null).tensor(crop);
    double milliseconds = since(start);
    String digest = Digests.sha256(tensor);
    String detail = "sha256 " + digest.substring(0, 16) + "… (expected " + face.tensorSha256.substring(0, 16) + "…)";
    checks.add(new Check("tensor " + face.crop, digest.equals(face.tensorSha256), detail, milliseconds));
  }

  private void checkVariant(Variant variant, List<Pixels> crops) {
    String name = "embed " + variant.name;
    ByteBuffer stated = bundle.blob(variant.golden);
    double[] milliseconds = new double[crops.size()];
    double least = 1;
    try (Embedder embedder =
        new Embedder(variant, bundle.manifest().preprocessing.input, bundle.model(variant.name), threads)) {
      for (int face = 0; face < crops.size(); face++) {
        long start = System.nanoTime();
        float[] seen = embedder.embed(crops.get(face));
        milliseconds[face] = since(start);
        least = Math.min(least, cosine(stated, seen)); // NaN stays NaN
      }
    } catch (PocketFaceException error) {
      checks.add(new Check(name, false, error.getMessage(), 0));
      return;
    }
    Arrays.sort(milliseconds);
    String detail =
        String.format(Locale.ROOT, "cosine at least %.6f over %d faces (bound %s)", least, crops.size(), variant.goldenMinCosine);
    double median = crops.isEmpty() ? 0 : milliseconds[crops.size() / 2];
    checks.add(new Check(name, least >= variant.goldenMinCosine, detail, median));
  }

  /** Of the next embedding of {@code stated} with {@code seen}. */
  private static double cosine(ByteBuffer stated, float[] seen) {
    double dot = 0;
    double one = 0;
    double other = 0;
    for (float value : seen) {
      double golden = stated.getFloat();
      dot += golden * value;
      one += golden * golden;
      other += (double) value * value;
    }
    return dot / Math.max(Math.sqrt(one) * Math.sqrt(other), 1e-12);
  }

  private static double since(long start) {
    return (System.nanoTime() - start) / 1e6;
  }
}
