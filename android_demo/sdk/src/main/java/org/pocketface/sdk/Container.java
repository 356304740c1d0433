package org.pocketface.sdk;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.regex.Pattern;
import java.util.zip.CRC32;

/**
 * The container of a bundle: the one zip layout that is allowed, byte for byte (docs/bundle-format.md, section 1).
 *
 * <p>Headers are made anew and compared, so whatever could differ between two zip readers (names given twice, sizes that disagree,
 * data between members, compression, flags, comments) differs from the one form and is refused.
 */
final class Container {
  static final String MANIFEST = "manifest.json";
  static final int MAX_BUNDLE_BYTES = 1 << 30;

  private static final int ALIGNMENT = 16384; // a blob starts on a page: Android 15 has pages of 16 KB
  private static final int MAX_MEMBERS = 4096;
  private static final int MAX_MANIFEST_BYTES = 8 << 20;
  private static final int LOCAL_BYTES = 30;
  private static final int CENTRAL_BYTES = 46;
  private static final int END_BYTES = 22;
  private static final int LOCAL_MAGIC = 0x04034B50;
  private static final int CENTRAL_MAGIC = 0x02014B50;
  private static final int END_MAGIC = 0x06054B50;
  private static final short VERSION = 10; // of the zip specification: stored members, no folders
  private static final short DATE = 0x21; // 1980-01-01
  private static final short PADDING_ID = (short) 0xD935; // the extra field that Android's zipalign pads with
  private static final String SEAL = "sha256:";
  private static final int SEAL_BYTES = 71;
  private static final Pattern NAME = Pattern.compile("[a-z0-9][a-z0-9._-]*(/[a-z0-9][a-z0-9._-]*)*");

  private final ByteBuffer data;
  private final String where;

  private Container(ByteBuffer data, String where) {
    this.data = data.slice().asReadOnlyBuffer().order(ByteOrder.LITTLE_ENDIAN);
    this.where = where;
  }

  /**
   * Members of a bundle by name, in their order: read-only parts of {@code data}, not copies, after the seal and every byte outside
   * the members were checked.
   *
   * @throws BundleException.Container where it is no bundle
   * @throws BundleException.Hash where a byte of it changed
   */
  static Map<String, ByteBuffer> open(ByteBuffer data, String where) {
    return new Container(data, where).members();
  }

  private Map<String, ByteBuffer> members() {
    int endAt = checkSeal();
    int count = unsigned16(endAt + 8);
    long directorySize = unsigned32(endAt + 12);
    long directoryOffset = unsigned32(endAt + 16);
    if (count < 1 || count > MAX_MEMBERS) {
      throw wrong("1 to " + MAX_MEMBERS + " members", count);
    }
    if (directoryOffset + directorySize != endAt || !matches(endAt, endRecord(count, (int) directorySize, (int) directoryOffset))) {
      throw wrong("a directory that ends at byte " + endAt, directorySize + " bytes from " + directoryOffset);
    }
    Map<String, ByteBuffer> result = new LinkedHashMap<>();
    int at = (int) directoryOffset;
    int offset = 0;
    String last = "";
    for (int member = 0; member < count; member++) {
      String name = entryName(at, endAt);
      boolean manifest = name.equals(MANIFEST);
      if (manifest != result.isEmpty() || name.compareTo(last) <= 0) {
        throw wrong(MANIFEST + " first and then each name once, in order", name);
      }
      ByteBuffer content = checkMember(name, at, offset, (int) directoryOffset);
      result.put(name, content);
      offset += localHeader(name, 0, 0, offset).length + content.remaining();
      at += CENTRAL_BYTES + name.length();
      last = manifest ? "" : name;
    }
    if (at != endAt || offset != directoryOffset) {
      throw wrong(
          "members that end at byte " + directoryOffset + " and a directory that ends at " + endAt, offset + " and " + at);
    }
    return result;
  }

  /** Where the end record starts, once the file's own hash is right. */
  private int checkSeal() {
    int size = data.limit();
    if (size > MAX_BUNDLE_BYTES) {
      throw wrong("at most " + MAX_BUNDLE_BYTES + " bytes", size);
    }
    byte[] pointer = "version https://git-lfs".getBytes(StandardCharsets.US_ASCII);
    if (size >= pointer.length && matches(0, pointer)) {
      throw new BundleException.Container(where + ": expected a bundle (.pface), got a Git LFS pointer; run git lfs pull");
    }
    int endAt = size - END_BYTES - SEAL_BYTES;
    if (endAt < 0 || data.getInt(endAt) != END_MAGIC || !matches(endAt + END_BYTES, SEAL.getBytes(StandardCharsets.US_ASCII))) {
      throw wrong("a zip that ends in its sha256", size + " bytes that do not");
    }
    String digest = Digests.sha256(part(0, endAt + END_BYTES));
    String stated = text(size - 64, 64);
    if (!stated.equals(digest)) {
      throw new BundleException.Hash(
          where + ": expected the sha256 that the file ends in, got " + digest + "; it was changed or damaged, get it again");
    }
    return endAt;
  }

  /** The name that the directory entry at {@code at} states; that all the rest is as it must be is checked afterwards. */
  private String entryName(int at, int end) {
    if (at + CENTRAL_BYTES > end) {
      throw wrong("a directory entry at byte " + at, end - at + " bytes");
    }
    int start = at + CENTRAL_BYTES;
    String name = text(start, Math.min(unsigned16(at + 28), end - start));
    if (name.length() > 255 || !NAME.matcher(name).matches()) {
      throw wrong("a name of lower-case letters, digits, dots, dashes and slashes", "a name of " + name.length() + " others");
    }
    return name;
  }

  /** The member's data, once both its headers are the allowed ones. */
  private ByteBuffer checkMember(String name, int at, int offset, int limit) {
    long size = unsigned32(at + 20);
    if (name.equals(MANIFEST) && size > MAX_MANIFEST_BYTES) {
      throw wrong("a manifest of at most " + MAX_MANIFEST_BYTES + " bytes", size);
    }
    int start = offset + localHeader(name, 0, 0, offset).length;
    if (start + size > limit) {
      throw wrong(name + " to end before byte " + limit, start + size);
    }
    ByteBuffer content = part(start, (int) size);
    CRC32 checksum = new CRC32();
    checksum.update(content.duplicate());
    byte[] local = localHeader(name, (int) checksum.getValue(), (int) size, offset);
    byte[] central = centralHeader(name, (int) checksum.getValue(), (int) size, offset);
    if (!matches(offset, local) || !matches(at, central)) {
      throw wrong(name + " stored at byte " + start + " with the headers of the one allowed form", "other headers");
    }
    return content;
  }

  /** The header at {@code offset} before a member's data, padded so that the data of a blob is aligned. */
  private static byte[] localHeader(String name, int checksum, int size, int offset) {
    int padding = name.equals(MANIFEST) ? 0 : padding(offset + LOCAL_BYTES + name.length());
    ByteBuffer header = ByteBuffer.allocate(LOCAL_BYTES + name.length() + padding).order(ByteOrder.LITTLE_ENDIAN);
    header.putInt(LOCAL_MAGIC).putShort(VERSION).putInt(0).putShort((short) 0).putShort(DATE);
    header.putInt(checksum).putInt(size).putInt(size).putShort((short) name.length()).putShort((short) padding);
    header.put(name.getBytes(StandardCharsets.US_ASCII));
    if (padding > 0) {
      header.putShort(PADDING_ID).putShort((short) (padding - 4)).putShort((short) ALIGNMENT);
    }
    return header.array();
  }

  /** Bytes of an extra field that moves the next byte from {@code start} up to a multiple of {@link #ALIGNMENT}. */
  private static int padding(int start) {
    int length = Math.floorMod(-start, ALIGNMENT);
    // An extra field takes 4 bytes, and this one states its alignment in 2 more.
    return length == 0 || length >= 6 ? length : length + ALIGNMENT;
  }

  private static byte[] centralHeader(String name, int checksum, int size, int offset) {
    ByteBuffer header = ByteBuffer.allocate(CENTRAL_BYTES + name.length()).order(ByteOrder.LITTLE_ENDIAN);
    header.putInt(CENTRAL_MAGIC).putShort(VERSION).putShort(VERSION).putInt(0).putShort((short) 0).putShort(DATE);
    header.putInt(checksum).putInt(size).putInt(size).putShort((short) name.length());
    header.putInt(0).putInt(0).putInt(0); // extra, comment, disk, internal and external attributes
    header.putInt(offset).put(name.getBytes(StandardCharsets.US_ASCII));
    return header.array();
  }

  private static byte[] endRecord(int members, int directorySize, int directoryOffset) {
    ByteBuffer record = ByteBuffer.allocate(END_BYTES).order(ByteOrder.LITTLE_ENDIAN);
    record.putInt(END_MAGIC).putInt(0).putShort((short) members).putShort((short) members);
    return record.putInt(directorySize).putInt(directoryOffset).putShort((short) SEAL_BYTES).array();
  }

  private boolean matches(int at, byte[] expected) {
    return at + expected.length <= data.limit() && part(at, expected.length).equals(ByteBuffer.wrap(expected));
  }

  private ByteBuffer part(int at, int size) {
    return Buffers.part(data, at, size);
  }

  /** Bytes as characters of the same number. */
  private String text(int at, int size) {
    return StandardCharsets.ISO_8859_1.decode(part(at, size)).toString();
  }

  private int unsigned16(int at) {
    return data.getShort(at) & 0xFFFF;
  }

  private long unsigned32(int at) {
    return data.getInt(at) & 0xFFFFFFFFL;
  }

  private BundleException wrong(String expected, Object got) {
    return new BundleException.Container(
        where + ": expected " + expected + ", got " + got + "; it is not a bundle (.pface) or it was damaged, get it again");
  }
}
