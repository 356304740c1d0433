package org.pocketface.sdk;

import java.util.List;
import org.jetbrains.annotations.NotNull;

/** What the runtime says of an input or output of a model. */
public final class TensorInfo {
  /** Its name in the model. */
  @NotNull public final String name;

  /** {@code float32}, {@code int8}, {@code uint8}, or {@code other}. */
  @NotNull public final String dtype;

  /** Its sizes. */
  @NotNull public final List<Integer> shape;

  /** real = scale * (integer − zeroPoint); 0 where it is not quantized. */
  public final float scale;

  /** The integer that stands for 0. */
  public final int zeroPoint;

  TensorInfo(String name, String dtype, List<Integer> shape, float scale, int zeroPoint) {
    this.name = name;
    this.dtype = dtype;
    this.shape = shape;
    this.scale = scale;
    this.zeroPoint = zeroPoint;
  }
}
