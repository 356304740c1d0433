package org.pocketface.sdk;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.jetbrains.annotations.NotNull;
import org.pocketface.sdk.manifest.DetectorSettings;
import org.pocketface.sdk.manifest.Manifest;
import org.pocketface.sdk.manifest.Template;
import org.pocketface.sdk.manifest.TemplatePoint;

/** Finds and aligns faces as a manifest states. May be shared between threads. */
public final class Finder implements AutoCloseable {
  private final Detector detector;
  private final int[] rows;
  private final double[][] template;
  private final int height;
  private final int width;

  /**
   * A bundle's detector and template; {@code threads} is how many one run may use.
   *
   * @throws FaceException.NoDetector where the bundle has no detector
   * @throws ModelRunException where the model's tensors are not those that the manifest states
   * @throws RuntimeMissingException where TensorFlow Lite's native library cannot be loaded
   */
  public Finder(@NotNull Bundle bundle, int threads) {
    Manifest manifest = bundle.manifest();
    DetectorSettings settings = manifest.detector;
    if (settings == null) {
      throw noDetector(bundle);
    }
    Template stated = template(manifest, settings.template);
    rows = new int[stated.points.size()];
    template = new double[rows.length][];
    for (int point = 0; point < rows.length; point++) {
      TemplatePoint goal = stated.points.get(point);
      rows[point] = settings.keyPoints.indexOf(goal.name);
      template[point] = new double[] {goal.x, goal.y};
    }
    height = manifest.preprocessing.input.height;
    width = manifest.preprocessing.input.width;
    ByteBuffer tflite = bundle.blob(settings.file);
    detector = new Detector(settings, tflite, threads);
  }

  static FaceException noDetector(Bundle bundle) {
    return new FaceException.NoDetector(
        bundle.source() + ": expected a bundle with a detector, got one without; give aligned crops");
  }

  private static Template template(Manifest manifest, String name) {
    for (Template template : manifest.preprocessing.templates) {
      if (template.name.equals(name)) {
        return template;
      }
    }
    throw new AssertionError("Manifest.read makes sure of the detector's template");
  }

  /** The detector alone. */
  @NotNull
  public Detector detector() {
    return detector;
  }

  /**
   * The faces of a photograph, largest first; none is no error here.
   *
   * @throws ModelRunException where the detector gives values that are not finite
   * @throws FaceException.Alignment where a face's key points coincide
   */
  @NotNull
  public List<Face> faces(@NotNull Pixels photograph) {
    List<Face> faces = new ArrayList<>();
    for (Detection found : detector.find(photograph)) {
      faces.add(new Face(found, crop(photograph, found.keyPoints())));
    }
    return Collections.unmodifiableList(faces);
  }

  /**
   * The aligned crop for key points {@code [K][2]} (x, y) in the detector's order.
   *
   * @throws FaceException.Alignment where there are too few of them, or they coincide or are not finite
   */
  @NotNull
  public Pixels crop(@NotNull Pixels photograph, @NotNull double[][] keyPoints) {
    double[][] used = new double[rows.length][];
    for (int point = 0; point < rows.length; point++) {
      if (rows[point] >= keyPoints.length) {
        throw new FaceException.Alignment(
            "alignment: expected " + detector.settings().keyPoints.size() + " key points, got " + keyPoints.length);
      }
      used[point] = keyPoints[rows[point]];
    }
    return Aligner.align(photograph, used, template, height, width);
  }

  @Override
  public void close() {
    detector.close();
  }
}
