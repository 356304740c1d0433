package org.pocketface.sdk;

import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.bytedeco.tensorflowlite.global.tensorflowlite;
import org.jetbrains.annotations.NotNull;

/**
 * A model that runs on TensorFlow Lite with XNNPACK. May be shared between threads.
 *
 * <p>A native interpreter is not thread-safe: shared, it gives wrong answers silently. So a run takes one that nobody else uses, and
 * makes another where all are in use; there are never more than runs at the same time.
 */
public final class Interpreter implements AutoCloseable {
  private final ByteBuffer tflite;
  private final String where;
  private final int threads;
  private final TensorInfo input;
  private final List<TensorInfo> outputs;
  private final ArrayDeque<NativeInterpreter> idle = new ArrayDeque<>();
  private boolean closed;

  /**
   * {@code tflite} is what remains of a buffer that must not change; a direct one that starts at a multiple of 16 in memory, as those of
   * a {@link Bundle} do, is used where it lies, another one is copied. {@code where} names the model in messages; {@code threads} is how
   * many one run may use.
   *
   * @throws RuntimeMissingException where TensorFlow Lite's native library cannot be loaded
   * @throws ModelRunException where it refuses the model, or the model has not exactly one input
   */
  public Interpreter(@NotNull ByteBuffer tflite, @NotNull String where, int threads) {
    if (threads < 1) {
      throw new IllegalArgumentException("threads: expected 1 or more, got " + threads);
    }
    this.tflite = NativeInterpreter.usable(tflite);
    this.where = where;
    this.threads = threads;
    NativeInterpreter first = new NativeInterpreter(this.tflite, where, threads);
    if (first.inputs() != 1) {
      first.close();
      throw new ModelRunException(where + ": expected a model of one input, got " + first.inputs());
    }
    input = first.input();
    List<TensorInfo> infos = new ArrayList<>();
    for (int index = 0; index < first.outputs(); index++) {
      infos.add(first.output(index));
    }
    outputs = Collections.unmodifiableList(infos);
    idle.push(first);
  }

  /**
   * Name and version of the runtime.
   *
   * @throws RuntimeMissingException where its native library cannot be loaded
   */
  @NotNull
  public static String runtime() {
    try {
      return "TensorFlow Lite " + tensorflowlite.TfLiteVersion().getString();
    } catch (LinkageError error) {
      throw NativeInterpreter.missing(error);
    }
  }

  /** The model's one input. */
  @NotNull
  public TensorInfo input() {
    return input;
  }

  /** The model's outputs, in its own order. */
  @NotNull
  public List<TensorInfo> outputs() {
    return outputs;
  }

  /**
   * Place of the output of that name.
   *
   * @throws ModelRunException where there is none
   */
  public int output(@NotNull String name) {
    List<String> names = new ArrayList<>();
    for (TensorInfo output : outputs) {
      if (output.name.equals(name)) {
        return names.size();
      }
      names.add(output.name);
    }
    throw new ModelRunException(
        where + ": expected an output " + name + ", got " + String.join(", ", names) + "; build the bundle again");
  }

  /**
   * The outputs, in the model's order, as little-endian bytes, for the bytes of an input.
   *
   * @throws ModelRunException where the input has another size or the runtime fails
   * @throws IllegalStateException after {@link #close}
   */
  @NotNull
  public List<ByteBuffer> run(@NotNull ByteBuffer tensor) {
    NativeInterpreter taken = take();
    try {
      return taken.run(tensor);
    } finally {
      giveBack(taken);
    }
  }

  private NativeInterpreter take() {
    synchronized (idle) {
      if (closed) {
        throw new IllegalStateException(where + ": it is closed");
      }
      if (!idle.isEmpty()) {
        return idle.pop();
      }
    }
    return new NativeInterpreter(tflite, where, threads);
  }

  private void giveBack(NativeInterpreter taken) {
    synchronized (idle) {
      if (!closed) {
        idle.push(taken);
        return;
      }
    }
    taken.close();
  }

  /** Frees the native memory; that of a run under way when the run ends. */
  @Override
  public void close() {
    synchronized (idle) {
      closed = true;
      while (!idle.isEmpty()) {
        idle.pop().close();
      }
    }
  }
}
