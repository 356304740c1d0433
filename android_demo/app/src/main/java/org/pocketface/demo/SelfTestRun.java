package org.pocketface.demo;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import org.pocketface.sdk.Bundle;
import org.pocketface.sdk.Check;
import org.pocketface.sdk.Detection;
import org.pocketface.sdk.Embedder;
import org.pocketface.sdk.Finder;
import org.pocketface.sdk.Interpreter;
import org.pocketface.sdk.Pixels;
import org.pocketface.sdk.Png;
import org.pocketface.sdk.PocketFaceException;
import org.pocketface.sdk.SelfTest;
import org.pocketface.sdk.YuvFrame;
import org.pocketface.sdk.gallery.Matcher;
import org.pocketface.sdk.gallery.TemplateModel;
import org.pocketface.sdk.gallery.Templates;
import org.pocketface.sdk.manifest.GoldenFace;
import org.pocketface.sdk.manifest.GoldenImage;
import org.pocketface.sdk.manifest.Variant;

/** Runs a bundle's golden vectors, and measures each step and each variant: the content of a {@link SelfTestReport}. */
public final class SelfTestRun {
  /** Threads that one inference may use: as the app recognises. */
  static final int THREADS = 1;
  /** Templates that one is compared with. */
  static final int TEMPLATES = 10000;

  private static final int RUNS = 20;
  private static final int CAMERA_HEIGHT = 480;
  private static final int CAMERA_WIDTH = 640;

  /** Is told what comes next, for people. */
  public interface Progress {
    /** {@code what} begins: the name of a variant, or of the checks. */
    void begins(String what);
  }

  /** What the process takes up. */
  public interface Memory {
    /** KiB. */
    long kibibytes();
  }

  private final Bundle bundle;
  private final Memory memory;
  private final Progress progress;
  private final SelfTestReport report;

  private SelfTestRun(Bundle bundle, Memory memory, Progress progress, SelfTestReport report) {
    this.bundle = bundle;
    this.memory = memory;
    this.progress = progress;
    this.report = report;
  }

  /** Runs everything, some seconds long, and states it in {@code report}. What cannot be run is a check that failed, not an error. */
  public static void run(Bundle bundle, Memory memory, Progress progress, SelfTestReport report) {
    new SelfTestRun(bundle, memory, progress, report).all();
  }

  private void all() {
    report.put("bundle", bundle.manifest().name);
    report.put("bundle-sha256", bundle.sha256());
    report.put("default-variant", bundle.defaultVariant());
    report.put("threads", THREADS);
    progress.begins("golden vectors");
    Set<String> failed = new HashSet<String>();
    try {
      report.put("runtime", Interpreter.runtime());
      for (Check check : SelfTest.run(bundle, THREADS)) {
        report.check(check.name, check.passed, check.detail);
        if (!check.passed) {
          failed.add(check.name);
        }
      }
      steps();
    } catch (PocketFaceException error) {
      report.check("selftest", false, error.code() + " " + error.getMessage());
    }
    for (Variant variant : bundle.manifest().variants) {
      progress.begins(variant.name);
      variant(variant, !failed.contains("embed " + variant.name));
    }
    report.put("memory-kib", memory.kibibytes());
  }

  private void steps() {
    report.put("step.yuv", yuv());
    List<GoldenImage> images = bundle.manifest().golden.images;
    if (bundle.manifest().detector != null && !images.isEmpty()) {
      Pixels photograph = Png.read(bundle.blob(images.get(0).image), images.get(0).image);
      try (Finder finder = new Finder(bundle, THREADS)) {
        detectAndAlign(finder, photograph);
      }
    }
    report.put("step.match-" + TEMPLATES, match());
  }

  private static Timing yuv() {
    int chroma = CAMERA_HEIGHT / 2 * CAMERA_WIDTH;
    // As phones lay it out: luma, then U and V taking turns.
    ByteBuffer luma = ByteBuffer.allocateDirect(CAMERA_HEIGHT * CAMERA_WIDTH);
    ByteBuffer u = ByteBuffer.allocateDirect(chroma);
    ByteBuffer v = u.duplicate();
    v.position(1);
    YuvFrame frame = new YuvFrame(
        CAMERA_HEIGHT, CAMERA_WIDTH, new YuvFrame.Plane(luma, CAMERA_WIDTH, 1), new YuvFrame.Plane(u, CAMERA_WIDTH, 2),
        new YuvFrame.Plane(v, CAMERA_WIDTH, 2));
    Pixels upright = new Pixels(CAMERA_WIDTH, CAMERA_HEIGHT, new byte[3 * CAMERA_HEIGHT * CAMERA_WIDTH]);
    Timing timing = new Timing();
    for (int run = 0; run < RUNS; run++) {
      long start = System.nanoTime();
      frame.toUpright(90, upright);
      timing.add(System.nanoTime() - start);
    }
    return timing;
  }

  private void detectAndAlign(Finder finder, Pixels photograph) {
    Timing detect = new Timing();
    Timing align = new Timing();
    for (int run = 0; run < RUNS; run++) {
      long start = System.nanoTime();
      List<Detection> found = finder.detector().find(photograph);
      long foundAt = System.nanoTime();
      detect.add(foundAt - start);
      if (!found.isEmpty()) {
        finder.crop(photograph, found.get(0).keyPoints());
        align.add(System.nanoTime() - foundAt);
      }
    }
    report.put("step.detect", detect);
    report.put("step.align", align);
  }

  /** Templates of random directions: what they are makes no difference to the time. */
  private Timing match() {
    int size = bundle.manifest().embedding.size;
    Random random = new Random(TEMPLATES);
    List<String> owners = new ArrayList<String>();
    List<float[]> vectors = new ArrayList<float[]>();
    for (int row = 0; row < TEMPLATES; row++) {
      owners.add(Integer.toString(row));
      vectors.add(direction(random, size));
    }
    Variant variant = bundle.variant(null);
    Timing timing = new Timing();
    try (Templates templates = Templates.of(new TemplateModel(variant.sha256, variant.name, size), owners, vectors)) {
      Matcher matcher = new Matcher(templates);
      for (int run = 0; run < RUNS; run++) {
        long start = System.nanoTime();
        matcher.top(vectors.get(run), 1);
        timing.add(System.nanoTime() - start);
      }
    }
    return timing;
  }

  private static float[] direction(Random random, int size) {
    double[] values = new double[size];
    double squares = 0;
    for (int at = 0; at < size; at++) {
      values[at] = random.nextGaussian();
      squares += values[at] * values[at];
    }
    float[] direction = new float[size];
    for (int at = 0; at < size; at++) {
      direction[at] = (float) (values[at] / Math.sqrt(squares));
    }
    return direction;
  }

  private void variant(Variant variant, boolean checksPassed) {
    String key = "variant." + variant.name;
    report.put(key + ".sha256", variant.sha256);
    report.put(key + ".bound", variant.goldenMinCosine, 6);
    try {
      boolean near = embed(variant, key);
      report.put(key + ".result", SelfTestReport.word(near && checksPassed));
    } catch (PocketFaceException error) {
      report.put(key + ".result", SelfTestReport.word(false));
      report.put(key + ".error", error.code() + " " + error.getMessage());
    }
  }

  /** Whether each golden embedding is as near as the manifest says. */
  private boolean embed(Variant variant, String key) {
    List<Pixels> crops = crops();
    float[] golden = new float[crops.size() * bundle.manifest().embedding.size];
    bundle.blob(variant.golden).asFloatBuffer().get(golden);
    long memoryBefore = memory.kibibytes();
    long start = System.nanoTime();
    ByteBuffer model = bundle.model(variant.name);
    try (Embedder embedder = new Embedder(variant, bundle.manifest().preprocessing.input, model, THREADS)) {
      Timing load = new Timing();
      load.add(System.nanoTime() - start);
      List<float[]> seen = new ArrayList<float[]>();
      for (Pixels crop : crops) {
        seen.add(embedder.embed(crop));
      }
      long memoryAfter = memory.kibibytes();
      Closeness closeness = new Closeness(golden, seen);
      report.put(key + ".faces", crops.size());
      report.put(key + ".min-cosine", closeness.minCosine(), 6);
      report.put(key + ".max-abs", closeness.maxAbs(), 6);
      report.put(key + ".load.ms", load.percentile(50), 3);
      report.put(key + ".embed", time(embedder, crops));
      report.put(key + ".memory-kib", Math.max(0, memoryAfter - memoryBefore));
      return closeness.minCosine() >= variant.goldenMinCosine;
    }
  }

  private static Timing time(Embedder embedder, List<Pixels> crops) {
    Timing timing = new Timing();
    for (int run = 0; run < RUNS && !crops.isEmpty(); run++) {
      Pixels crop = crops.get(run % crops.size());
      long start = System.nanoTime();
      embedder.embed(crop);
      timing.add(System.nanoTime() - start);
    }
    return timing;
  }

  private List<Pixels> crops() {
    List<Pixels> crops = new ArrayList<Pixels>();
    for (GoldenImage image : bundle.manifest().golden.images) {
      for (GoldenFace face : image.faces) {
        crops.add(Png.read(bundle.blob(face.crop), face.crop));
      }
    }
    return Collections.unmodifiableList(crops);
  }
}
