package org.pocketface.sdk;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.zip.DataFormatException;
import java.util.zip.Inflater;

/**
 * Rebuilds a packed .tflite byte for byte (docs/bundle-format.md, section 3).
 *
 * <p>Planes of bytes are coded by static order-0 tables with an interleaved rANS coder (Duda, arXiv:1311.2540, section 3, in the range
 * variant; Giesen, arXiv:1402.3392), indices into codebooks of floats in two parts; all the rest is deflated.
 */
final class PackedModel {
  static final int MAGIC = 0x4B504650; // "PFPK"
  private static final int LAST_VERSION = 2; // with codebooks; the first has none
  private static final int HEADER_BYTES = 60;
  static final long MAX_TFLITE_BYTES = 64 << 20;
  static final long MAX_DIRECTORY_BYTES = 4 << 20;
  private static final int MAX_LANES = 65536;

  private PackedModel() {}

  /**
   * The .tflite that {@code data} was packed from, in direct memory, read-only. It is at most 64 MiB, and rebuilding takes at most
   * 4 * (its size) + 3 * (the packed bytes) + 8 MiB + 2 KiB for each region.
   *
   * @throws PackedException for whatever bytes come in
   */
  static ByteBuffer unpack(ByteBuffer data) {
    ByteBuffer packed = data.slice().order(ByteOrder.LITTLE_ENDIAN);
    checkHeader(packed);
    int size = packed.getInt(8);
    int deflated = packed.getInt(16);
    int lanes = packed.getInt(20);
    int words = packed.getInt(24);
    int statesAt = HEADER_BYTES + deflated;
    byte[] structure = inflate(Buffers.part(packed, HEADER_BYTES, deflated), packed.getInt(12), "packed model");
    PackedDirectory directory = PackedDirectory.read(structure, packed.getShort(4), size);
    RansDecoder decoder =
        new RansDecoder(Buffers.part(packed, statesAt, 4 * lanes), Buffers.part(packed, statesAt + 4 * lanes, 2 * words));
    byte[] model = new byte[size];
    directory.fill(model, decoder);
    byte[] stated = new byte[32];
    Buffers.part(packed, 28, 32).get(stated);
    byte[] digest = Digests.sha256().digest(model);
    if (!Arrays.equals(stated, digest)) {
      throw new PackedException.Hash(
          "packed model: expected sha256 " + Digests.hex(stated) + ", rebuilt " + Digests.hex(digest) + "; get the bundle again");
    }
    return Buffers.directCopy(ByteBuffer.wrap(model));
  }

  /** Every check that needs no decoding. */
  private static void checkHeader(ByteBuffer packed) {
    if (packed.limit() < HEADER_BYTES) {
      throw new PackedException.Format("packed model: expected at least " + HEADER_BYTES + " bytes, got " + packed.limit());
    }
    if (packed.getInt(0) != MAGIC) {
      throw new PackedException.Format("packed model: expected PFPK at byte 0, got something else");
    }
    int version = packed.getShort(4) & 0xFFFF;
    if (version < 1 || version > LAST_VERSION) {
      throw new PackedException.Version(
          "packed model: expected version 1 or " + LAST_VERSION + ", got " + version + "; use a release of the SDK that reads it");
    }
    if (packed.getShort(6) != 0) {
      throw new PackedException.Format("packed model: expected 0 at byte 6, got " + (packed.getShort(6) & 0xFFFF));
    }
    long size = packed.getInt(8) & 0xFFFFFFFFL;
    long structure = packed.getInt(12) & 0xFFFFFFFFL;
    long deflated = packed.getInt(16) & 0xFFFFFFFFL;
    long lanes = packed.getInt(20) & 0xFFFFFFFFL;
    long words = packed.getInt(24) & 0xFFFFFFFFL;
    if (size > MAX_TFLITE_BYTES) {
      throw new PackedException.Limit("packed model: expected at most " + MAX_TFLITE_BYTES + " bytes of .tflite, got " + size);
    }
    if (structure > size + MAX_DIRECTORY_BYTES) {
      throw new PackedException.Limit(
          "packed model: expected at most " + (size + MAX_DIRECTORY_BYTES) + " bytes of structure, got " + structure);
    }
    if (lanes < 1 || lanes > MAX_LANES) {
      throw new PackedException.Limit("packed model: expected 1 to " + MAX_LANES + " lanes, got " + lanes);
    }
    long expected = HEADER_BYTES + deflated + 4 * lanes + 2 * words;
    if (packed.limit() != expected) {
      throw new PackedException.Format("packed model: expected " + expected + " bytes in all, got " + packed.limit());
    }
  }

  /** Raw DEFLATE of exactly {@code size} bytes that uses all of its input; {@code what} they belong to begins an error's message. */
  static byte[] inflate(ByteBuffer deflated, int size, String what) {
    byte[] input = new byte[deflated.remaining()];
    deflated.get(input);
    // One byte more than expected, so that a stream that is too long is seen without being expanded.
    byte[] output = new byte[size + 1];
    Inflater inflater = new Inflater(true);
    try {
      inflater.setInput(input);
      int written = 0;
      int step;
      do {
        step = inflater.inflate(output, written, output.length - written);
        written += step;
      } while (step > 0);
      if (written != size || !inflater.finished() || inflater.getRemaining() != 0) {
        throw new PackedException.Stream(
            what + ": expected a structure of " + size + " bytes in " + input.length + ", it does not end there");
      }
    } catch (DataFormatException error) {
      throw new PackedException.Stream(what + ": the structure does not inflate (" + error.getMessage() + "); get the bundle again");
    } finally {
      inflater.end();
    }
    return Arrays.copyOf(output, size);
  }
}
