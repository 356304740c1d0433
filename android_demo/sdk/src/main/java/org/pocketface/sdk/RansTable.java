package org.pocketface.sdk;

/** How often each byte occurs in the planes that it codes. A file may hold 4,096 tables: what decoding needs beside, {@link RansDecoder} has once. */
final class RansTable {
  static final int BITS = 12;
  static final int TOTAL = 1 << BITS;

  final byte[] values;
  final short[] frequencies;

  /** {@code values} ascend; {@code frequencies} are 1 or more and sum to {@link #TOTAL}. */
  RansTable(byte[] values, short[] frequencies) {
    this.values = values;
    this.frequencies = frequencies;
  }

  /** Whether it has one symbol, which costs no bits. */
  boolean constant() {
    return values.length == 1;
  }
}
