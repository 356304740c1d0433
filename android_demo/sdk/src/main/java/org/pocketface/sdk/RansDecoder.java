package org.pocketface.sdk;

import java.nio.ByteBuffer;

/**
 * Interleaved rANS (Duda, arXiv:1311.2540; Giesen, arXiv:1402.3392): symbol i of a run belongs to lane i mod L. Each lane decodes its
 * symbol and then, where its state fell below 2^16, takes one 16-bit word.
 */
final class RansDecoder {
  private static final long LOWEST_STATE = 1 << 16; // states lie in [2^16, 2^32); the encoder starts each lane at 2^16
  private static final long MAX_STEPS = 1 << 16;

  private final long[] states;
  private final ByteBuffer words;
  // Of the table of the run, for each slot: the symbol, its frequency, the slot's place in it.
  private final byte[] symbol = new byte[RansTable.TOTAL];
  private final short[] frequency = new short[RansTable.TOTAL];
  private final short[] place = new short[RansTable.TOTAL];
  private RansTable table;
  private long steps;
  private int lane;

  /**
   * Takes the lanes' states (32 bits each) and the coded words (16 bits each), both little-endian.
   *
   * @throws PackedException.Stream where a state is below 2^16
   */
  RansDecoder(ByteBuffer states, ByteBuffer words) {
    this.states = new long[states.remaining() / 4];
    for (int index = 0; index < this.states.length; index++) {
      this.states[index] = states.getInt() & 0xFFFFFFFFL;
      if (this.states[index] < LOWEST_STATE) {
        throw new PackedException.Stream("packed model: expected coder states from " + LOWEST_STATE + ", got " + this.states[index]);
      }
    }
    this.words = words;
  }

  /**
   * Begins a run of {@code count} symbols, coded by {@code table}; {@link #decode} then takes them. Runs of a table of one symbol take no
   * steps.
   *
   * @throws PackedException.Limit past 65,536 steps in all
   */
  void begin(RansTable table, long count) {
    this.table = table;
    lane = 0;
    if (table.constant()) {
      return;
    }
    steps += (count + states.length - 1) / states.length;
    if (steps > MAX_STEPS) {
      throw new PackedException.Limit(
          "packed model: expected at most " + MAX_STEPS + " steps of " + states.length + " lanes; pack it with more lanes");
    }
    int slot = 0;
    for (int index = 0; index < table.values.length; index++) {
      for (int within = 0; within < table.frequencies[index]; within++, slot++) {
        symbol[slot] = table.values[index];
        frequency[slot] = table.frequencies[index];
        place[slot] = (short) within;
      }
    }
  }

  /**
   * The next {@code count} symbols of the run, to {@code target[start]}, {@code target[start + stride]} and so on.
   *
   * @throws PackedException.Stream where the words end too early
   */
  void decode(byte[] target, int start, int count, int stride) {
    if (table.constant()) {
      for (int index = 0; index < count; index++) {
        target[start + index * stride] = table.values[0];
      }
      return;
    }
    for (int index = 0; index < count; index++) {
      long state = states[lane];
      int slot = (int) state & RansTable.TOTAL - 1;
      target[start + index * stride] = symbol[slot];
      state = frequency[slot] * (state >>> RansTable.BITS) + place[slot];
      if (state < LOWEST_STATE) {
        if (words.remaining() < 2) {
          throw new PackedException.Stream("packed model: the " + words.limit() / 2 + " coded words end too early");
        }
        state = state << 16 | words.getShort() & 0xFFFF;
      }
      states[lane] = state;
      lane = lane + 1 == states.length ? 0 : lane + 1;
    }
  }

  /**
   * A whole stream leaves no word over and every lane where the encoder began.
   *
   * @throws PackedException.Stream where it does not
   */
  void finish() {
    for (long state : states) {
      if (state != LOWEST_STATE) {
        throw new PackedException.Stream("packed model: a coder ends in a wrong state");
      }
    }
    if (words.hasRemaining()) {
      throw new PackedException.Stream(
          "packed model: " + words.remaining() / 2 + " of " + words.limit() / 2 + " coded words were not used");
    }
  }
}
