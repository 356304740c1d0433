package org.pocketface.sdk;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/** Refuses what is plainly no .tflite. */
final class TfliteStructure {
  private static final int IDENTIFIER = 0x334C4654; // "TFL3"

  private TfliteStructure() {}

  /**
   * Checks a .tflite's identifier, and that its root table with the vtable lies within the file (docs/bundle-format.md, section 1).
   * The hashes say that the bytes are those that were written; this says that they are of the right kind, before a native parser
   * that trusts them.
   *
   * @throws BundleException.Model where they are not
   */
  static void check(ByteBuffer model, String where) {
    ByteBuffer data = model.slice().order(ByteOrder.LITTLE_ENDIAN);
    int size = data.limit();
    if (size < 16 || data.getInt(4) != IDENTIFIER) {
      throw new BundleException.Model(where + ": expected a .tflite (TFL3 at byte 4), got something else of " + size + " bytes");
    }
    long root = data.getInt(0) & 0xFFFFFFFFL;
    boolean rootFits = root % 4 == 0 && root >= 8 && root <= size - 4;
    long vtable = rootFits ? root - data.getInt((int) root) : 0;
    if (!rootFits || vtable % 2 != 0 || vtable < 8 || vtable > size - 4) {
      throw new BundleException.Model(
          where + ": expected the root table of a .tflite within " + size + " bytes, got it at " + root + " with its vtable at " + vtable);
    }
    int vtableSize = data.getShort((int) vtable) & 0xFFFF;
    int tableSize = data.getShort((int) vtable + 2) & 0xFFFF;
    if (vtableSize < 4 || vtableSize % 2 != 0 || vtable + vtableSize > size || tableSize < 4 || root + tableSize > size) {
      throw new BundleException.Model(
          where + ": expected a root table of a .tflite, got a vtable of " + vtableSize + " bytes and a table of " + tableSize);
    }
  }
}
