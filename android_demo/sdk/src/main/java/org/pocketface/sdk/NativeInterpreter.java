package org.pocketface.sdk;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.tensorflowlite.BuiltinOpResolver;
import org.bytedeco.tensorflowlite.FlatBufferModel;
import org.bytedeco.tensorflowlite.InterpreterBuilder;
import org.bytedeco.tensorflowlite.TfLiteIntArray;
import org.bytedeco.tensorflowlite.TfLiteTensor;
import org.bytedeco.tensorflowlite.TfLiteVerifier;
import org.bytedeco.tensorflowlite.global.tensorflowlite;

/**
 * One native interpreter (TensorFlow Lite's C++ API through JavaCPP, with the built-in resolver, which delegates to XNNPACK). Not
 * thread-safe.
 */
final class NativeInterpreter implements AutoCloseable {
  private static final int ALIGNMENT = 16; // what the kernels want of constants, which lie aligned to it within a .tflite

  private final String where;
  private final ByteBuffer tflite; // keeps the memory that the model points into
  private final BytePointer address;
  private final FlatBufferModel model;
  private final BuiltinOpResolver resolver;
  private final org.bytedeco.tensorflowlite.Interpreter interpreter;

  /** {@code tflite} as {@link #usable} gives it. Errors: those of {@link Interpreter}. */
  NativeInterpreter(ByteBuffer tflite, String where, int threads) {
    this.where = where;
    this.tflite = tflite;
    try {
      address = new BytePointer(tflite);
      model =
          FlatBufferModel.VerifyAndBuildFromBuffer(
              address, tflite.remaining(), (TfLiteVerifier) null, tensorflowlite.DefaultErrorReporter());
      resolver = new BuiltinOpResolver();
      interpreter = new org.bytedeco.tensorflowlite.Interpreter((Pointer) null);
    } catch (LinkageError error) {
      throw missing(error);
    }
    boolean made = false;
    try {
      if (model == null || model.isNull()) {
        throw cannot("its flatbuffer is damaged");
      }
      try (InterpreterBuilder builder = new InterpreterBuilder(model, resolver)) {
        if (builder.apply(interpreter, threads) != tensorflowlite.kTfLiteOk || interpreter.isNull()) {
          throw cannot("it has operators that this version does not have");
        }
      }
      if (interpreter.AllocateTensors() != tensorflowlite.kTfLiteOk) {
        throw cannot("its tensors cannot be allocated");
      }
      made = true;
    } finally {
      if (!made) {
        close();
      }
    }
  }

  /** What remains of {@code tflite}, where native code can use it: the same memory where it is direct and aligned, else a copy. */
  static ByteBuffer usable(ByteBuffer tflite) {
    try {
      if (tflite.isDirect() && new BytePointer(tflite).address() % ALIGNMENT == 0) {
        return tflite.slice();
      }
    } catch (LinkageError error) {
      throw missing(error);
    }
    return Buffers.directCopy(tflite);
  }

  static RuntimeMissingException missing(LinkageError error) {
    return new RuntimeMissingException(
        "expected TensorFlow Lite's native library for this machine, it cannot be loaded: " + error.getMessage()
            + "; add org.bytedeco:tensorflow-lite and org.bytedeco:javacpp with this platform's classifier");
  }

  private ModelRunException cannot(String reason) {
    return new ModelRunException(where + ": " + Interpreter.runtime() + " cannot run this model: " + reason);
  }

  int inputs() {
    return (int) interpreter.inputs().limit();
  }

  int outputs() {
    return (int) interpreter.outputs().limit();
  }

  TensorInfo input() {
    return info(interpreter.input_tensor(0));
  }

  TensorInfo output(int index) {
    return info(interpreter.output_tensor(index));
  }

  private static TensorInfo info(TfLiteTensor tensor) {
    TfLiteIntArray dims = tensor.dims();
    List<Integer> shape = new ArrayList<>();
    for (int axis = 0; axis < dims.size(); axis++) {
      shape.add(dims.data(axis));
    }
    return new TensorInfo(
        tensor.name().getString(), dtype(tensor.type()), Collections.unmodifiableList(shape), tensor.params().scale(),
        tensor.params().zero_point());
  }

  private static String dtype(int type) {
    if (type == tensorflowlite.kTfLiteFloat32) {
      return "float32";
    }
    if (type == tensorflowlite.kTfLiteInt8) {
      return "int8";
    }
    return type == tensorflowlite.kTfLiteUInt8 ? "uint8" : "other";
  }

  /** Outputs as copies, for the input's bytes. Error: ModelRunException. */
  List<ByteBuffer> run(ByteBuffer tensor) {
    ByteBuffer input = memory(interpreter.input_tensor(0));
    if (tensor.remaining() != input.remaining()) {
      throw new ModelRunException(where + ": expected an input of " + input.remaining() + " bytes, got " + tensor.remaining());
    }
    input.put(tensor.duplicate());
    if (interpreter.Invoke() != tensorflowlite.kTfLiteOk) {
      throw new ModelRunException(where + ": " + Interpreter.runtime() + " failed");
    }
    List<ByteBuffer> results = new ArrayList<>();
    for (int index = 0; index < outputs(); index++) {
      results.add(Buffers.directCopy(memory(interpreter.output_tensor(index))));
    }
    return results;
  }

  /** A tensor's own memory, valid until the next run. */
  private static ByteBuffer memory(TfLiteTensor tensor) {
    BytePointer data = new BytePointer(tensor.data().data());
    return data.capacity(tensor.bytes()).asByteBuffer().order(ByteOrder.LITTLE_ENDIAN);
  }

  /** The interpreter first: it points into the model, the model into the memory of the .tflite. */
  @Override
  public void close() {
    interpreter.close();
    resolver.close();
    if (model != null) {
      model.close();
    }
    address.close();
  }
}
