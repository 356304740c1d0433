package org.pocketface.sdk;

import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;

/** SHA-256, as sha256sum prints it. */
final class Digests {
  private Digests() {}

  static MessageDigest sha256() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException error) {
      throw new AssertionError("every Java platform has SHA-256", error);
    }
  }

  /** Of what remains in {@code data}, whose position stays where it is. */
  static String sha256(ByteBuffer data) {
    MessageDigest digest = sha256();
    digest.update(data.duplicate());
    return hex(digest.digest());
  }

  static String hex(byte[] bytes) {
    StringBuilder text = new StringBuilder(2 * bytes.length);
    for (byte value : bytes) {
      text.append(Character.forDigit(value >> 4 & 15, 16)).append(Character.forDigit(value & 15, 16));
    }
    return text.toString();
  }
}
