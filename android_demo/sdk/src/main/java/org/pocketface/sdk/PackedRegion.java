package org.pocketface.sdk;

/**
 * {@code count} values of {@code width} bytes from {@code offset} of a .tflite. Plane k, byte k of each value, is coded by table {@code
 * tables[k]}; where the values have a codebook the one plane is the high parts of their indices.
 */
final class PackedRegion {
  final int offset;
  final int count;
  final int width;
  final int[] tables;
  final Codebook codebook; // null: the values are coded themselves

  PackedRegion(int offset, int count, int width, int[] tables, Codebook codebook) {
    this.offset = offset;
    this.count = count;
    this.width = width;
    this.tables = tables;
    this.codebook = codebook;
  }

  int end() {
    return offset + count * width;
  }
}
