package org.pocketface.sdk;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import org.jetbrains.annotations.NotNull;
import org.pocketface.sdk.manifest.DetectorSettings;
import org.pocketface.sdk.manifest.InputContract;

/**
 * BlazeFace: finds faces and their key points in a photograph. May be shared between threads.
 *
 * <p>V. Bazarevsky et al., BlazeFace: Sub-millisecond Neural Face Detection on Mobile GPUs, arXiv:1907.05047. Every number that the
 * decoder needs (anchors, limits, thresholds) comes from the bundle's manifest.
 */
public final class Detector implements AutoCloseable {
  private final DetectorSettings settings;
  private final Interpreter interpreter;
  private final BlazeFace blazeFace;
  private final InputTable table;
  private final int boxesAt;
  private final int scoresAt;

  /**
   * The detector that {@code settings}, the manifest's section, states; {@code tflite} is its model, {@code threads} how many one run may
   * use.
   *
   * @throws ModelRunException where the model's tensors are not those that the settings state
   * @throws RuntimeMissingException where TensorFlow Lite's native library cannot be loaded
   */
  public Detector(@NotNull DetectorSettings settings, @NotNull ByteBuffer tflite, int threads) {
    this.settings = settings;
    table = new InputTable(settings.input, null);
    interpreter = new Interpreter(tflite, "detector " + settings.name, threads);
    boolean made = false;
    try {
      boxesAt = interpreter.output(settings.boxes);
      scoresAt = interpreter.output(settings.scores);
      InputContract contract = settings.input;
      long anchors = BlazeFace.anchors(settings);
      check("input", interpreter.input(), 1, contract.height, contract.width, 3);
      check(settings.boxes, interpreter.outputs().get(boxesAt), 1, anchors, BlazeFace.values(settings));
      check(settings.scores, interpreter.outputs().get(scoresAt), 1, anchors, 1);
      blazeFace = new BlazeFace(settings); // only now: its anchors are as many as the model really has
      made = true;
    } finally {
      if (!made) {
        interpreter.close();
      }
    }
  }

  private void check(String name, TensorInfo tensor, long... stated) {
    String shape = Arrays.toString(stated);
    if (!tensor.shape.toString().equals(shape) || !tensor.dtype.equals("float32")) {
      throw new ModelRunException(
          "detector " + settings.name + ": expected " + name + " float32 " + shape + ", got " + tensor.dtype + " " + tensor.shape
              + "; build the bundle again");
    }
  }

  /** What the manifest says of it. */
  @NotNull
  public DetectorSettings settings() {
    return settings;
  }

  /**
   * The faces of a photograph, largest first; none is no error here. A face needs about a tenth of the longer side to be found.
   *
   * @throws ModelRunException where the model gives values that are not finite
   */
  @NotNull
  public List<Detection> find(@NotNull Pixels photograph) {
    InputContract contract = settings.input;
    Affine toPhotograph = BlazeFace.letterbox(photograph.height(), photograph.width(), contract.height, contract.width);
    Pixels fitted = Resample.warp(photograph, toPhotograph, contract.height, contract.width);
    List<ByteBuffer> outputs = interpreter.run(table.tensor(fitted));
    List<Detection> found = new ArrayList<>();
    for (BlazeFace.Candidate face : blazeFace.decode(floats(outputs.get(boxesAt)), floats(outputs.get(scoresAt)))) {
      Detection placed = face.placed(toPhotograph);
      if (placed.area() > 0 && placed.near()) {
        found.add(placed);
      }
    }
    Collections.sort(found, Detection.LARGEST_FIRST);
    return Collections.unmodifiableList(found);
  }

  private float[] floats(ByteBuffer output) {
    float[] values = new float[output.remaining() / 4];
    output.asFloatBuffer().get(values);
    for (float value : values) {
      if (Float.isNaN(value) || Float.isInfinite(value)) {
        throw new ModelRunException("detector " + settings.name + ": expected finite outputs, got NaN or infinity");
      }
    }
    return values;
  }

  @Override
  public void close() {
    interpreter.close();
  }
}
