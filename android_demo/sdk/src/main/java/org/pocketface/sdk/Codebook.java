package org.pocketface.sdk;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * Up to 4,096 float32 values. An index into them is coded in two parts: the low {@code lowBits} bits by table {@code low[high part]}.
 */
final class Codebook {
  static final int MAX_ENTRIES = 4096;
  static final int MAX_LOW_BITS = 8;

  final int entries;
  final int lowBits;
  final int[] low;
  private final ByteBuffer listed; // null: geometric
  private final double first;
  private final double ratio;

  private Codebook(int entries, int lowBits, int[] low, ByteBuffer listed, double first, double ratio) {
    this.entries = entries;
    this.lowBits = lowBits;
    this.low = low;
    this.listed = listed;
    this.first = first;
    this.ratio = ratio;
  }

  static Codebook listed(int entries, int lowBits, int[] low, ByteBuffer values) {
    return new Codebook(entries, lowBits, low, values, 0, 0);
  }

  static Codebook geometric(int entries, int lowBits, int[] low, double first, double ratio) {
    return new Codebook(entries, lowBits, low, null, first, ratio);
  }

  /** How many values a high part can have. */
  static int groups(int entries, int lowBits) {
    return (entries - 1 >> lowBits) + 1;
  }

  /**
   * The bits of the values. Of a geometric codebook each magnitude is the one before times the ratio, in doubles, rounded to a float at the
   * end; they stand with both signs, ascending, with 0 between where {@code entries} is odd.
   */
  int[] bits() {
    int[] bits = new int[entries];
    if (listed != null) {
      listed.duplicate().order(ByteOrder.LITTLE_ENDIAN).asIntBuffer().get(bits);
      return bits;
    }
    int magnitudes = entries / 2;
    double magnitude = first;
    for (int index = 0; index < magnitudes; index++) {
      float rounded = (float) magnitude;
      bits[magnitudes - 1 - index] = Float.floatToRawIntBits(-rounded);
      bits[entries - magnitudes + index] = Float.floatToRawIntBits(rounded);
      magnitude *= ratio;
    }
    return bits;
  }
}
