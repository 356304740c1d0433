package org.pocketface.sdk;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.jetbrains.annotations.Nullable;
import org.pocketface.sdk.manifest.InputContract;
import org.pocketface.sdk.manifest.TensorSpec;

/** From 8-bit pixels to the tensor that a model takes. A tensor value depends on its pixel alone, so 256 values say it all. */
final class InputTable {
  private final InputContract contract;
  private final float[] reals = new float[256];
  private final byte[] integers; // null for a float input

  /** {@code spec} is the input of a variant; null: a float32 input. */
  InputTable(InputContract contract, @Nullable TensorSpec spec) {
    this.contract = contract;
    float scale = (float) contract.scale;
    float offset = (float) contract.offset;
    for (int pixel = 0; pixel < 256; pixel++) {
      float scaled = pixel * scale; // rounded to float32 before the offset is added
      reals[pixel] = scaled + offset;
    }
    integers = spec == null || spec.quantization == null ? null : quantized(spec);
  }

  /** ⌊real / scale + ½⌋ + zero point in doubles, cut to the dtype's range. */
  private byte[] quantized(TensorSpec spec) {
    int least = spec.dtype.equals("uint8") ? 0 : -128;
    byte[] result = new byte[256];
    for (int pixel = 0; pixel < 256; pixel++) {
      double integer = Math.floor(reals[pixel] / spec.quantization.scale + 0.5) + spec.quantization.zeroPoint;
      result[pixel] = (byte) Math.min(Math.max(integer, least), least + 255);
    }
    return result;
  }

  /** The tensor {@code [1, H, W, 3]} of an RGB picture of the contract's size, in the contract's colour order; direct, little-endian. */
  ByteBuffer tensor(Pixels picture) {
    byte[] rgb = picture.rgb();
    int swap = contract.color.equals("rgb") ? 0 : 2;
    ByteBuffer tensor = ByteBuffer.allocateDirect(integers == null ? 4 * rgb.length : rgb.length).order(ByteOrder.LITTLE_ENDIAN);
    for (int at = 0; at < rgb.length; at += 3) {
      put(tensor, rgb[at + swap] & 0xFF);
      put(tensor, rgb[at + 1] & 0xFF);
      put(tensor, rgb[at + 2 - swap] & 0xFF);
    }
    tensor.flip();
    return tensor;
  }

  private void put(ByteBuffer tensor, int pixel) {
    if (integers == null) {
      tensor.putFloat(reals[pixel]);
    } else {
      tensor.put(integers[pixel]);
    }
  }
}
