package org.pocketface.sdk;

/** How often each byte occurs in the planes that it codes: for each of 4,096 slots the symbol, its frequency, the slot's place in it. */
final class RansTable {
  static final int BITS = 12;
  static final int TOTAL = 1 << BITS;

  final boolean constant;
  final byte[] symbol = new byte[TOTAL];
  final short[] frequency = new short[TOTAL];
  final short[] place = new short[TOTAL];

  /** {@code values} ascend; {@code frequencies} are 1 or more and sum to {@link #TOTAL}. */
  RansTable(byte[] values, int[] frequencies) {
    constant = values.length == 1;
    int slot = 0;
    for (int index = 0; index < values.length; index++) {
      for (int within = 0; within < frequencies[index]; within++, slot++) {
        symbol[slot] = values[index];
        frequency[slot] = (short) frequencies[index];
        place[slot] = (short) within;
      }
    }
  }
}
