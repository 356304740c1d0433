package org.pocketface.sdk;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * Rebuilds the .tflite of a level from that of the whole net, byte for byte (docs/bundle-format.md, section 4).
 *
 * <p>A level of a net computes with the first channels of every layer, so each of its constants is a prefix of one of the whole net's.
 * What is stored of a level says which, and holds the rest of its file, deflated.
 */
final class LevelModel {
  private static final int VERSION = 256;
  private static final int HEADER_BYTES = 84;
  private static final int ENTRY_BYTES = 44;
  private static final int AXES = 4;
  private static final int MAX_WIDTH = 8;
  private static final long MAX_PREFIXES = 65536;

  private final ByteBuffer whole;
  private final byte[] model;
  private int filled;

  private LevelModel(ByteBuffer whole, int size) {
    this.whole = whole;
    this.model = new byte[size];
  }

  /**
   * The .tflite of the level that is stored as {@code data}, in direct memory, read-only, where {@code whole} is the whole net's. It is at
   * most 64 MiB, and rebuilding takes at most 4 * (its size) + 8 MiB + 1 KiB for each entry beside
   * {@code whole}.
   *
   * @throws PackedException for whatever bytes come in
   */
  static ByteBuffer rebuild(ByteBuffer data, ByteBuffer whole) {
    ByteBuffer stored = data.slice().order(ByteOrder.LITTLE_ENDIAN);
    checkHeader(stored);
    checkHash(stored, 20, Digests.sha256(whole), "to be cut from a model of");
    int size = stored.getInt(8);
    byte[] structure = PackedModel.inflate(Buffers.part(stored, HEADER_BYTES, stored.getInt(16)), stored.getInt(12), "level");
    LevelModel level = new LevelModel(whole.slice().order(ByteOrder.LITTLE_ENDIAN), size);
    level.fill(ByteBuffer.wrap(structure).order(ByteOrder.LITTLE_ENDIAN));
    checkHash(stored, 52, Digests.hex(Digests.sha256().digest(level.model)), "to rebuild");
    return Buffers.directCopy(ByteBuffer.wrap(level.model));
  }

  private static void checkHash(ByteBuffer stored, int at, String got, String what) {
    byte[] stated = new byte[32];
    Buffers.part(stored, at, 32).get(stated);
    String expected = Digests.hex(stated);
    if (!expected.equals(got)) {
      throw new PackedException.Hash("level: expected " + what + " sha256 " + expected + ", got " + got + "; get the bundle again");
    }
  }

  /** Every check that needs no inflating. */
  private static void checkHeader(ByteBuffer stored) {
    if (stored.limit() < HEADER_BYTES) {
      throw new PackedException.Format("level: expected at least " + HEADER_BYTES + " bytes, got " + stored.limit());
    }
    if (stored.getInt(0) != PackedModel.MAGIC) {
      throw new PackedException.Format("level: expected PFPK at byte 0, got something else");
    }
    int version = stored.getShort(4) & 0xFFFF;
    if (version != VERSION) {
      throw new PackedException.Version(
          "level: expected version " + VERSION + ", got " + version + "; use a release of the SDK that reads it");
    }
    if (stored.getShort(6) != 0) {
      throw new PackedException.Format("level: expected 0 at byte 6, got " + (stored.getShort(6) & 0xFFFF));
    }
    long size = unsigned(stored.getInt(8));
    long structure = unsigned(stored.getInt(12));
    long deflated = unsigned(stored.getInt(16));
    if (size > PackedModel.MAX_TFLITE_BYTES) {
      throw new PackedException.Limit("level: expected at most " + PackedModel.MAX_TFLITE_BYTES + " bytes of .tflite, got " + size);
    }
    if (structure > size + PackedModel.MAX_DIRECTORY_BYTES) {
      throw new PackedException.Limit(
          "level: expected at most " + (size + PackedModel.MAX_DIRECTORY_BYTES) + " bytes of structure, got " + structure);
    }
    if (stored.limit() != HEADER_BYTES + deflated) {
      throw new PackedException.Format(
          "level: expected " + (HEADER_BYTES + deflated) + " bytes in all, got " + stored.limit());
    }
  }

  /** Everything is checked before the first byte is placed. */
  private void fill(ByteBuffer structure) {
    long count = structure.limit() < 4 ? -1 : unsigned(structure.getInt(0));
    if (count > MAX_PREFIXES) {
      throw new PackedException.Limit("level: expected at most " + MAX_PREFIXES + " prefixes, got " + count);
    }
    long skeletonAt = 4 + count * ENTRY_BYTES;
    if (count < 0 || skeletonAt > structure.limit()) {
      throw new PackedException.Format(
          "level: the structure ends at byte " + structure.limit() + ", its entries go on to " + skeletonAt);
    }
    long end = 0;
    long taken = 0;
    for (int index = 0; index < count; index++) {
      long length = checkedLength(structure, 4 + index * ENTRY_BYTES, index);
      end += unsigned(structure.getInt(4 + index * ENTRY_BYTES)) + length;
      taken += length;
    }
    long held = structure.limit() - skeletonAt;
    if (end > model.length || held != model.length - taken) {
      throw new PackedException.Format(
          "level: expected prefixes within " + model.length + " bytes and a skeleton of the rest, got " + end + " and " + held);
    }
    structure.position((int) skeletonAt);
    for (int index = 0; index < count; index++) {
      int entry = 4 + index * ENTRY_BYTES;
      int gap = structure.getInt(entry);
      structure.get(model, filled, gap);
      filled += gap;
      int[] numbers = new int[2 * AXES];
      for (int at = 0; at < numbers.length; at++) {
        numbers[at] = structure.getInt(entry + 12 + 4 * at);
      }
      copy(numbers, 0, structure.getInt(entry + 4), structure.getInt(entry + 8));
    }
    structure.get(model, filled, model.length - filled);
  }

  /** How many bytes the prefix of the entry at {@code entry} takes in the level's .tflite. */
  private long checkedLength(ByteBuffer structure, int entry, int index) {
    long source = unsigned(structure.getInt(entry + 4));
    long width = unsigned(structure.getInt(entry + 8));
    boolean fits = width >= 1 && width <= MAX_WIDTH;
    long spanned = width;
    long length = width;
    for (int axis = 0; fits && axis < AXES; axis++) {
      long size = unsigned(structure.getInt(entry + 12 + 4 * axis));
      long kept = unsigned(structure.getInt(entry + 12 + 4 * (AXES + axis)));
      spanned *= size; // at most 2^31 * 2^32 before the check that follows
      length *= kept;
      fits = kept >= 1 && kept <= size && spanned <= whole.limit();
    }
    if (!fits || source + spanned > whole.limit()) {
      throw new PackedException.Format(
          "level: prefix " + index + ": expected the first entries of an array in " + whole.limit() + " bytes, got something else");
    }
    return length;
  }

  /** Copies the first entries along each axis from {@code axis} on of the array at {@code source}. */
  private void copy(int[] numbers, int axis, int source, int width) {
    int kept = numbers[AXES + axis];
    if (axis == AXES - 1) {
      ByteBuffer part = whole.duplicate();
      part.position(source);
      part.get(model, filled, kept * width);
      filled += kept * width;
      return;
    }
    int stride = width;
    for (int inner = axis + 1; inner < AXES; inner++) {
      stride *= numbers[inner];
    }
    for (int at = 0; at < kept; at++) {
      copy(numbers, axis + 1, source + at * stride, width);
    }
  }

  private static long unsigned(int value) {
    return value & 0xFFFFFFFFL;
  }
}
