package org.pocketface.sdk;

import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.List;
import org.jetbrains.annotations.NotNull;
import org.pocketface.sdk.manifest.InputContract;
import org.pocketface.sdk.manifest.Quantization;
import org.pocketface.sdk.manifest.TensorSpec;
import org.pocketface.sdk.manifest.Variant;

/** From aligned crops to embeddings of length 1, by one variant of a model. May be shared between threads. */
public final class Embedder implements AutoCloseable {
  private static final double LEAST_LENGTH = 1e-12;
  private static final int WARM_UP = 3;
  private static final int RUNS = 9;

  private final Variant variant;
  private final InputContract contract;
  private final InputTable table;
  private final Interpreter interpreter;

  /**
   * {@code tflite} is the variant's model, {@code contract} the manifest's {@code preprocessing.input}, {@code threads} how many one run
   * may use.
   *
   * @throws ModelRunException where the model's tensors are not those that the variant states
   * @throws RuntimeMissingException where TensorFlow Lite's native library cannot be loaded
   */
  public Embedder(@NotNull Variant variant, @NotNull InputContract contract, @NotNull ByteBuffer tflite, int threads) {
    this.variant = variant;
    this.contract = contract;
    table = new InputTable(contract, variant.input);
    interpreter = new Interpreter(tflite, "variant " + variant.name, threads);
    boolean made = false;
    try {
      if (interpreter.outputs().size() != 1) {
        throw new ModelRunException(
            "variant " + variant.name + ": expected a model of one output, got " + interpreter.outputs().size());
      }
      check("input", variant.input, interpreter.input());
      check("output", variant.output, interpreter.outputs().get(0));
      made = true;
    } finally {
      if (!made) {
        interpreter.close();
      }
    }
  }

  /** The runtime's view of a tensor is the manifest's. */
  private void check(String what, TensorSpec stated, TensorInfo seen) {
    String where = "variant " + variant.name + ": expected " + what;
    if (!seen.dtype.equals(stated.dtype) || !seen.shape.equals(stated.shape)) {
      throw new ModelRunException(
          where + " " + stated.dtype + " " + stated.shape + ", got " + seen.dtype + " " + seen.shape + "; build the bundle again");
    }
    Quantization quantization = stated.quantization;
    // The runtime holds the scale as float32; the manifest may hold it with fewer or more digits.
    if (quantization != null && ((float) quantization.scale != seen.scale || quantization.zeroPoint != seen.zeroPoint)) {
      throw new ModelRunException(
          where + " with scale " + quantization.scale + " and zero point " + quantization.zeroPoint + ", got " + seen.scale + " and "
              + seen.zeroPoint + "; build the bundle again");
    }
  }

  /** What the manifest says of the variant. */
  @NotNull
  public Variant variant() {
    return variant;
  }

  /**
   * The embedding {@code [D]}, of length 1, of an aligned crop of the model's size.
   *
   * @throws ImageException.Array where the crop has another size
   * @throws EmbeddingException where the model gives NaN, infinity or zeros
   * @throws ModelRunException where the runtime fails
   */
  @NotNull
  public float[] embed(@NotNull Pixels crop) {
    double[] values = reals(interpreter.run(tensor(crop)).get(0));
    double sum = 0;
    for (double value : values) {
      sum += value * value;
    }
    double length = Math.sqrt(sum);
    if (Double.isNaN(length) || Double.isInfinite(length) || length < LEAST_LENGTH) {
      throw new EmbeddingException(
          "variant " + variant.name + ": expected an embedding of finite length above 0, got " + length + "; run the self-test");
    }
    float[] embedding = new float[values.length];
    for (int index = 0; index < values.length; index++) {
      embedding[index] = (float) (values[index] / length);
    }
    return embedding;
  }

  /** Embeddings {@code [N][D]} of crops, in their order. Errors: those of {@link #embed}. */
  @NotNull
  public float[][] embedAll(@NotNull List<Pixels> crops) {
    float[][] embeddings = new float[crops.size()][];
    for (int index = 0; index < embeddings.length; index++) {
      embeddings[index] = embed(crops.get(index));
    }
    return embeddings;
  }

  /**
   * The model's input {@code [1, H, W, 3]} for a crop: direct, little-endian.
   *
   * @throws ImageException.Array where the crop has another size
   */
  @NotNull
  public ByteBuffer tensor(@NotNull Pixels crop) {
    if (crop.height() != contract.height || crop.width() != contract.width) {
      throw new ImageException.Array(
          "embed: expected an aligned crop of " + contract.height + " x " + contract.width + ", got " + crop.height() + " x "
              + crop.width() + "; align a photograph with faces() first");
    }
    return table.tensor(crop);
  }

  /** The median time in milliseconds of one embedding, from an aligned crop on, after a few that lay out memory. */
  double milliseconds() {
    byte[] grey = new byte[3 * contract.height * contract.width];
    Arrays.fill(grey, (byte) 127);
    ByteBuffer tensor = tensor(new Pixels(contract.height, contract.width, grey));
    double[] taken = new double[RUNS];
    for (int run = -WARM_UP; run < RUNS; run++) {
      long start = System.nanoTime();
      interpreter.run(tensor);
      if (run >= 0) {
        taken[run] = (System.nanoTime() - start) / 1e6;
      }
    }
    Arrays.sort(taken);
    return taken[RUNS / 2];
  }

  private double[] reals(ByteBuffer output) {
    Quantization quantization = variant.output.quantization;
    double[] values = new double[output.remaining() / (quantization == null ? 4 : 1)];
    int mask = variant.output.dtype.equals("uint8") ? 0xFF : -1; // a byte is signed unless it is masked
    for (int index = 0; index < values.length; index++) {
      values[index] =
          quantization == null ? output.getFloat() : ((output.get() & mask) - quantization.zeroPoint) * quantization.scale;
    }
    return values;
  }

  @Override
  public void close() {
    interpreter.close();
  }
}
