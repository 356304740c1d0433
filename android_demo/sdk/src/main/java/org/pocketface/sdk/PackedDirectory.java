package org.pocketface.sdk;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/** What is coded in a packed .tflite and how: tables, regions, and the skeleton, which is the file less its regions. */
final class PackedDirectory {
  private static final int MAX_TABLES = 4096;
  private static final int MAX_REGIONS = 65536;
  private static final int MAX_WIDTH = 8;
  private static final int LISTED = 32;
  private static final int GEOMETRIC = 33;
  private static final int CODEBOOK_VERSION = 2;

  private final RansTable[] tables;
  private final PackedRegion[] regions;
  private final ByteBuffer skeleton;

  private PackedDirectory(RansTable[] tables, PackedRegion[] regions, ByteBuffer skeleton) {
    this.tables = tables;
    this.regions = regions;
    this.skeleton = skeleton;
  }

  /**
   * The directory at the front of an inflated structure of a file of that version, for a .tflite of {@code size} bytes.
   *
   * @throws PackedException.Limit for too many tables or regions
   * @throws PackedException.Format for anything out of its bounds
   */
  static PackedDirectory read(byte[] structure, int version, int size) {
    ByteBuffer fields = ByteBuffer.wrap(structure).order(ByteOrder.LITTLE_ENDIAN);
    need(fields, 8);
    long tableCount = fields.getInt() & 0xFFFFFFFFL;
    long regionCount = fields.getInt() & 0xFFFFFFFFL;
    if (tableCount > MAX_TABLES || regionCount > MAX_REGIONS) {
      throw new PackedException.Limit(
          "packed model: expected at most " + MAX_TABLES + " tables and " + MAX_REGIONS + " regions, got " + tableCount + " and "
              + regionCount);
    }
    RansTable[] tables = new RansTable[(int) tableCount];
    for (int index = 0; index < tables.length; index++) {
      tables[index] = readTable(fields, index);
    }
    return readRegions(fields, tables, (int) regionCount, version, size);
  }

  private static RansTable readTable(ByteBuffer fields, int index) {
    need(fields, 2);
    int symbols = fields.getShort() & 0xFFFF;
    if (symbols < 1 || symbols > 256) {
      throw new PackedException.Format("packed model: table " + index + ": expected 1 to 256 symbols, got " + symbols);
    }
    need(fields, 3 * symbols);
    byte[] values = new byte[symbols];
    fields.get(values);
    short[] frequencies = new short[symbols];
    int sum = 0;
    boolean positive = true;
    for (int symbol = 0; symbol < symbols; symbol++) {
      int frequency = fields.getShort() & 0xFFFF;
      frequencies[symbol] = (short) frequency; // at most 4,096, or the sum below is another
      sum += frequency;
      positive &= frequency > 0;
    }
    for (int symbol = 1; symbol < symbols; symbol++) {
      if ((values[symbol] & 0xFF) <= (values[symbol - 1] & 0xFF)) {
        throw new PackedException.Format("packed model: table " + index + ": expected ascending, distinct symbols");
      }
    }
    if (!positive || sum != RansTable.TOTAL) {
      throw new PackedException.Format(
          "packed model: table " + index + ": expected frequencies from 1 that sum to " + RansTable.TOTAL + ", got " + sum);
    }
    return new RansTable(values, frequencies);
  }

  private static PackedDirectory readRegions(ByteBuffer fields, RansTable[] tables, int regionCount, int version, int size) {
    need(fields, 9L * regionCount);
    int gapsAt = fields.position();
    int countsAt = gapsAt + 4 * regionCount;
    int kindsAt = countsAt + 4 * regionCount;
    fields.position(kindsAt + regionCount);
    PackedRegion[] regions = new PackedRegion[regionCount];
    long end = 0;
    long coded = 0;
    for (int index = 0; index < regionCount; index++) {
      long gap = fields.getInt(gapsAt + 4 * index) & 0xFFFFFFFFL;
      long count = fields.getInt(countsAt + 4 * index) & 0xFFFFFFFFL;
      int kind = fields.get(kindsAt + index) & 0xFF;
      boolean withCodebook = version >= CODEBOOK_VERSION && (kind == LISTED || kind == GEOMETRIC);
      if (count < 1 || !withCodebook && (kind < 1 || kind > MAX_WIDTH)) {
        throw new PackedException.Format(
            "packed model: region " + index + ": expected a count from 1 and a width of 1 to " + MAX_WIDTH + ", got " + count + ", "
                + kind);
      }
      // Regions past the end of the file are refused below; until then only their sums matter.
      int width = withCodebook ? 4 : kind;
      regions[index] =
          withCodebook
              ? readCodebook(fields, index, (int) (end + gap), (int) count, kind, tables.length)
              : new PackedRegion((int) (end + gap), (int) count, width, readUsed(fields, index, width, tables.length), null);
      end += gap + count * width;
      coded += count * width;
    }
    ByteBuffer skeleton = fields.slice();
    if (end > size || skeleton.remaining() != size - coded) {
      throw new PackedException.Format(
          "packed model: expected regions within " + size + " bytes and the rest in the skeleton, got regions to " + end + ", " + coded
              + " bytes in them and " + skeleton.remaining() + " in the skeleton");
    }
    return new PackedDirectory(tables, regions, skeleton);
  }

  private static PackedRegion readCodebook(ByteBuffer fields, int index, int offset, int count, int kind, int tableCount) {
    need(fields, 3);
    int entries = fields.getShort() & 0xFFFF;
    int lowBits = fields.get() & 0xFF;
    int groups = lowBits > Codebook.MAX_LOW_BITS ? 0 : Codebook.groups(entries, lowBits);
    if (entries < 1 || entries > Codebook.MAX_ENTRIES || lowBits > Codebook.MAX_LOW_BITS || groups > 256) {
      throw new PackedException.Format(
          "packed model: region " + index + ": expected 1 to " + Codebook.MAX_ENTRIES + " entries, at most " + Codebook.MAX_LOW_BITS
              + " low bits and 256 values of the bits above, got " + entries + " entries and " + lowBits + " low bits");
    }
    int[] high = readUsed(fields, index, 1, tableCount);
    int[] low = readUsed(fields, index, lowBits > 0 ? groups : 0, tableCount);
    if (kind == LISTED) {
      need(fields, 4 * entries);
      ByteBuffer values = Buffers.part(fields, fields.position(), 4 * entries);
      fields.position(fields.position() + 4 * entries);
      return new PackedRegion(offset, count, 4, high, Codebook.listed(entries, lowBits, low, values));
    }
    need(fields, 16);
    double first = fields.getDouble();
    double ratio = fields.getDouble();
    if (!(first > 0 && first <= Double.MAX_VALUE && ratio >= 1 && ratio <= Double.MAX_VALUE)) {
      throw new PackedException.Format(
          "packed model: region " + index + ": expected a first value above 0 and a ratio from 1, got " + first + ", " + ratio);
    }
    return new PackedRegion(offset, count, 4, high, Codebook.geometric(entries, lowBits, low, first, ratio));
  }

  /** The next {@code count} numbers of tables. */
  private static int[] readUsed(ByteBuffer fields, int region, int count, int tableCount) {
    need(fields, 2 * count);
    int[] used = new int[count];
    for (int number = 0; number < count; number++) {
      used[number] = fields.getShort() & 0xFFFF;
      if (used[number] >= tableCount) {
        throw new PackedException.Format(
            "packed model: region " + region + ": expected tables below " + tableCount + ", got " + used[number]);
      }
    }
    return used;
  }

  private static void need(ByteBuffer fields, long bytes) {
    if (fields.remaining() < bytes) {
      throw new PackedException.Format(
          "packed model: the directory ends at byte " + fields.limit() + ", its fields go on to " + (fields.position() + bytes));
    }
  }

  /** Rebuilds the .tflite into {@code model}: the skeleton around the regions, then the regions. */
  void fill(byte[] model, RansDecoder decoder) {
    int end = 0;
    for (PackedRegion region : regions) {
      skeleton.get(model, end, region.offset - end);
      end = region.end();
    }
    skeleton.get(model, end, model.length - end);
    new PackedPlanes(tables, regions).fill(model, decoder);
  }
}
