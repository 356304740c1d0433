package org.pocketface.sdk.manifest;

import java.util.List;
import org.jetbrains.annotations.NotNull;
import org.jetbrains.annotations.Nullable;

/** An input or output of a .tflite as it is in the file. */
public final class TensorSpec {
  /** Its name in the model. */
  @NotNull public final String name;

  /** {@code float32}, {@code int8} or {@code uint8}. */
  @NotNull public final String dtype;

  /** One or more sizes, each 1 or more. */
  @NotNull public final List<Integer> shape;

  /** There exactly for integer dtypes. */
  @Nullable public final Quantization quantization;

  TensorSpec(Fields fields) {
    fields.expect(new String[] {"name", "dtype", "shape"}, "quantization");
    name = fields.text("name");
    dtype = fields.oneOf("dtype", "float32", "int8", "uint8");
    shape = fields.sizes("shape", Integer.MAX_VALUE);
    quantization = fields.isNull("quantization") ? null : new Quantization(fields.object("quantization"));
    if (dtype.equals("float32") != (quantization == null)) {
      throw fields.wrong("quantization: expected for int8 and uint8 and only there, got dtype " + dtype);
    }
  }
}
