package org.pocketface.sdk;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/** Parts of byte buffers, without copies. */
final class Buffers {
  private Buffers() {}

  /** {@code size} bytes from {@code at}, read-only, little-endian, position 0. */
  static ByteBuffer part(ByteBuffer data, int at, int size) {
    ByteBuffer view = data.duplicate();
    view.limit(at + size);
    view.position(at);
    return view.slice().asReadOnlyBuffer().order(ByteOrder.LITTLE_ENDIAN);
  }

  /** A direct buffer of the bytes that remain in {@code data}, read-only, little-endian. */
  static ByteBuffer directCopy(ByteBuffer data) {
    ByteBuffer copy = ByteBuffer.allocateDirect(data.remaining());
    copy.put(data.duplicate());
    copy.flip();
    return copy.asReadOnlyBuffer().order(ByteOrder.LITTLE_ENDIAN);
  }
}
