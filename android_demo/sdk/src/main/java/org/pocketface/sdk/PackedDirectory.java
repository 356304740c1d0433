package org.pocketface.sdk;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;

/** What is coded in a packed .tflite and how: tables, regions, and the skeleton, which is the file less its regions. */
final class PackedDirectory {
  private static final int MAX_TABLES = 4096;
  private static final int MAX_REGIONS = 65536;
  private static final int MAX_WIDTH = 8;

  private final RansTable[] tables;
  private final Region[] regions;
  private final ByteBuffer skeleton;

  private PackedDirectory(RansTable[] tables, Region[] regions, ByteBuffer skeleton) {
    this.tables = tables;
    this.regions = regions;
    this.skeleton = skeleton;
  }

  /** {@code count} values of {@code width} bytes from {@code offset} of the .tflite; plane k is coded by table {@code tables[k]}. */
  private static final class Region {
    final int offset;
    final int count;
    final int width;
    final int[] tables;

    Region(int offset, int count, int width, int[] tables) {
      this.offset = offset;
      this.count = count;
      this.width = width;
      this.tables = tables;
    }

    int end() {
      return offset + count * width;
    }
  }

  /** Byte {@code number} of each value of a region. */
  private static final class Plane {
    final Region region;
    final int number;

    Plane(Region region, int number) {
      this.region = region;
      this.number = number;
    }
  }

  /**
   * The directory at the front of an inflated structure, for a .tflite of {@code size} bytes.
   *
   * @throws PackedException.Limit for too many tables or regions
   * @throws PackedException.Format for anything out of its bounds
   */
  static PackedDirectory read(byte[] structure, int size) {
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
    return readRegions(fields, tables, (int) regionCount, size);
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
    int[] frequencies = new int[symbols];
    int sum = 0;
    boolean positive = true;
    for (int symbol = 0; symbol < symbols; symbol++) {
      frequencies[symbol] = fields.getShort() & 0xFFFF;
      sum += frequencies[symbol];
      positive &= frequencies[symbol] > 0;
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

  private static PackedDirectory readRegions(ByteBuffer fields, RansTable[] tables, int regionCount, int size) {
    need(fields, 9L * regionCount);
    int gapsAt = fields.position();
    int countsAt = gapsAt + 4 * regionCount;
    int widthsAt = countsAt + 4 * regionCount;
    fields.position(widthsAt + regionCount);
    Region[] regions = new Region[regionCount];
    long end = 0;
    long coded = 0;
    for (int index = 0; index < regionCount; index++) {
      long gap = fields.getInt(gapsAt + 4 * index) & 0xFFFFFFFFL;
      long count = fields.getInt(countsAt + 4 * index) & 0xFFFFFFFFL;
      int width = fields.get(widthsAt + index) & 0xFF;
      if (count < 1 || width < 1 || width > MAX_WIDTH) {
        throw new PackedException.Format(
            "packed model: region " + index + ": expected a count from 1 and a width of 1 to " + MAX_WIDTH + ", got " + count + ", "
                + width);
      }
      int[] used = new int[width];
      need(fields, 2 * width);
      for (int plane = 0; plane < width; plane++) {
        used[plane] = fields.getShort() & 0xFFFF;
        if (used[plane] >= tables.length) {
          throw new PackedException.Format(
              "packed model: region " + index + ": expected tables below " + tables.length + ", got " + used[plane]);
        }
      }
      // Regions past the end of the file are refused below; until then only their sums matter.
      regions[index] = new Region((int) (end + gap), (int) count, width, used);
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

  private static void need(ByteBuffer fields, long bytes) {
    if (fields.remaining() < bytes) {
      throw new PackedException.Format(
          "packed model: the directory ends at byte " + fields.limit() + ", its fields go on to " + (fields.position() + bytes));
    }
  }

  /**
   * Rebuilds the .tflite into {@code model}: the skeleton around the regions, then the planes, table by table; within a table by region,
   * within a region by the plane's number.
   */
  void fill(byte[] model, RansDecoder decoder) {
    int end = 0;
    for (Region region : regions) {
      skeleton.get(model, end, region.offset - end);
      end = region.end();
    }
    skeleton.get(model, end, model.length - end);
    List<List<Plane>> planes = planes();
    for (int table = 0; table < tables.length; table++) {
      long symbols = 0;
      for (Plane plane : planes.get(table)) {
        symbols += plane.region.count;
      }
      decoder.begin(tables[table], symbols);
      for (Plane plane : planes.get(table)) {
        decoder.decode(model, plane.region.offset + plane.number, plane.region.count, plane.region.width);
      }
    }
    decoder.finish();
  }

  /** The planes of each table, in the order in which they are coded. */
  private List<List<Plane>> planes() {
    List<List<Plane>> planes = new ArrayList<>();
    for (int table = 0; table < tables.length; table++) {
      planes.add(new ArrayList<Plane>());
    }
    for (Region region : regions) {
      for (int number = 0; number < region.width; number++) {
        planes.get(region.tables[number]).add(new Plane(region, number));
      }
    }
    return planes;
  }
}
