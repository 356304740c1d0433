package org.pocketface.sdk;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;

/** Decodes what the regions of a packed .tflite hold: planes of bytes, and indices into codebooks. */
final class PackedPlanes {
  private final RansTable[] tables;
  private final PackedRegion[] regions;
  private final byte[][] highs; // of each region with a codebook, the high parts of its indices

  PackedPlanes(RansTable[] tables, PackedRegion[] regions) {
    this.tables = tables;
    this.regions = regions;
    highs = new byte[regions.length][];
  }

  /** Plane {@code number} of the region of that index. */
  private static final class Plane {
    final int region;
    final int number;

    Plane(int region, int number) {
      this.region = region;
      this.number = number;
    }
  }

  /** Planes and high parts come table by table, within a table by region, within a region by number; behind all of them the low parts. */
  void fill(byte[] model, RansDecoder decoder) {
    List<List<Plane>> planes = planes();
    for (int table = 0; table < tables.length; table++) {
      long symbols = 0;
      for (Plane plane : planes.get(table)) {
        symbols += regions[plane.region].count;
      }
      decoder.begin(tables[table], symbols);
      for (Plane plane : planes.get(table)) {
        PackedRegion region = regions[plane.region];
        if (region.codebook == null) {
          decoder.decode(model, region.offset + plane.number, region.count, region.width);
        } else {
          highs[plane.region] = new byte[region.count];
          decoder.decode(highs[plane.region], 0, region.count, 1);
        }
      }
    }
    int[] starts = lowStarts();
    byte[] lows = decodeLows(starts, decoder);
    decoder.finish();
    int[] next = starts.clone();
    for (int index = 0; index < regions.length; index++) {
      if (regions[index].codebook != null) {
        fillFromCodebook(model, regions[index], highs[index], lows, next);
      }
    }
  }

  /** The planes of each table, in the order in which they are coded. */
  private List<List<Plane>> planes() {
    List<List<Plane>> planes = new ArrayList<>();
    for (int table = 0; table < tables.length; table++) {
      planes.add(new ArrayList<Plane>());
    }
    for (int index = 0; index < regions.length; index++) {
      for (int number = 0; number < regions[index].tables.length; number++) {
        planes.get(regions[index].tables[number]).add(new Plane(index, number));
      }
    }
    return planes;
  }

  /** Where the low parts of each table begin among all of them, and behind the last table's where they end. */
  private int[] lowStarts() {
    int[] starts = new int[tables.length + 1];
    for (int index = 0; index < regions.length; index++) {
      Codebook codebook = regions[index].codebook;
      if (codebook == null) {
        continue;
      }
      int groups = Codebook.groups(codebook.entries, codebook.lowBits);
      for (byte part : highs[index]) {
        int high = part & 0xFF;
        if (high >= groups) {
          throw outside(regions[index]);
        }
        if (codebook.lowBits > 0) {
          starts[codebook.low[high] + 1]++;
        }
      }
    }
    for (int table = 0; table < tables.length; table++) {
      starts[table + 1] += starts[table];
    }
    return starts;
  }

  private byte[] decodeLows(int[] starts, RansDecoder decoder) {
    byte[] lows = new byte[starts[tables.length]];
    for (int table = 0; table < tables.length; table++) {
      int count = starts[table + 1] - starts[table];
      if (count > 0) {
        decoder.begin(tables[table], count);
        decoder.decode(lows, starts[table], count, 1);
      }
    }
    return lows;
  }

  /** Puts the floats of a region to their place. {@code next}: where each table's next low part lies; moves on. */
  private static void fillFromCodebook(byte[] model, PackedRegion region, byte[] highs, byte[] lows, int[] next) {
    Codebook codebook = region.codebook;
    int[] bits = codebook.bits();
    ByteBuffer target = ByteBuffer.wrap(model).order(ByteOrder.LITTLE_ENDIAN);
    for (int value = 0; value < region.count; value++) {
      int high = highs[value] & 0xFF;
      int index = high << codebook.lowBits;
      if (codebook.lowBits > 0) {
        int low = lows[next[codebook.low[high]]++] & 0xFF;
        if (low >> codebook.lowBits != 0) {
          throw new PackedException.Stream(
              "packed model: expected low parts of " + codebook.lowBits + " bits at byte " + region.offset + ", got " + low);
        }
        index |= low;
      }
      if (index >= codebook.entries) {
        throw outside(region);
      }
      target.putInt(region.offset + 4 * value, bits[index]);
    }
  }

  private static PackedException outside(PackedRegion region) {
    return new PackedException.Stream(
        "packed model: expected indices below " + region.codebook.entries + " at byte " + region.offset + ", got a higher one");
  }
}
