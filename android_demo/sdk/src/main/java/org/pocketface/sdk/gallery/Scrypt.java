package org.pocketface.sdk.gallery;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.IntBuffer;
import java.security.GeneralSecurityException;
import java.util.Arrays;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/**
 * scrypt, a key from a passphrase that takes memory to guess: C. Percival, S. Josefsson, RFC 7914. Java and Android have none; the rest
 * of a cryptographic library is not worth its megabytes on a phone for these pages.
 */
final class Scrypt {
  private static final int HASH = 32;
  /** Words of a Salsa20 block. */
  private static final int BLOCK = 16;

  private Scrypt() {}

  /**
   * `length` bytes from `password`, of 1 byte or more, and `salt`, at the cost N = 2^`log2N` in memory of 128 `r` N bytes, `p` times
   * (section 6).
   *
   * @throws GalleryException.Limit where there is not so much memory
   * @throws GeneralSecurityException where there is no HMAC-SHA-256
   */
  static byte[] derive(byte[] password, byte[] salt, int log2N, int r, int p, int length) throws GeneralSecurityException {
    byte[] blocks = pbkdf2(password, salt, 128 * r * p);
    int[] memory = memory(2 * BLOCK * r, log2N);
    int[] mixed = new int[2 * BLOCK * r];
    try {
      IntBuffer words = ByteBuffer.wrap(blocks).order(ByteOrder.LITTLE_ENDIAN).asIntBuffer();
      for (int at = 0; at < p; at++) {
        words.position(at * mixed.length);
        words.get(mixed);
        romix(mixed, memory, log2N);
        words.position(at * mixed.length);
        words.put(mixed);
      }
      return pbkdf2(password, blocks, length);
    } finally {
      Arrays.fill(blocks, (byte) 0);
      Arrays.fill(mixed, 0);
      Arrays.fill(memory, 0);
    }
  }

  private static int[] memory(int words, int log2N) {
    try {
      return new int[words << log2N];
    } catch (OutOfMemoryError e) {
      throw new GalleryException.Limit("people: expected " + ((4L * words << log2N) >> 20) + " MiB of memory for the passphrase's key, "
          + "there is less; close other apps, or export again with a lower cost");
    }
  }

  /** PBKDF2 (RFC 8018, section 5.2) with HMAC-SHA-256 and one iteration, all that scrypt asks for. */
  private static byte[] pbkdf2(byte[] password, byte[] salt, int length) throws GeneralSecurityException {
    Mac mac = Mac.getInstance("HmacSHA256");
    mac.init(new SecretKeySpec(password, "HmacSHA256"));
    byte[] out = new byte[length];
    for (int at = 0; at < length; at += HASH) {
      mac.update(salt);
      byte[] block = mac.doFinal(ByteBuffer.allocate(4).putInt(at / HASH + 1).array());
      System.arraycopy(block, 0, out, at, Math.min(HASH, length - at));
    }
    return out;
  }

  /** scryptROMix, section 5, in place; N is a power of two below 2^32, so the first word of Integerify is enough. */
  private static void romix(int[] x, int[] memory, int log2N) {
    int[] shuffled = new int[x.length];
    int[] block = new int[BLOCK];
    int count = 1 << log2N;
    for (int at = 0; at < count; at++) {
      System.arraycopy(x, 0, memory, at * x.length, x.length);
      blockMix(x, shuffled, block);
    }
    for (int at = 0; at < count; at++) {
      int from = (x[x.length - BLOCK] & (count - 1)) * x.length;
      for (int word = 0; word < x.length; word++) {
        x[word] ^= memory[from + word];
      }
      blockMix(x, shuffled, block);
    }
  }

  /** scryptBlockMix, section 4, in place: blocks of even number come first, then those of odd number. */
  private static void blockMix(int[] x, int[] shuffled, int[] block) {
    System.arraycopy(x, x.length - BLOCK, block, 0, BLOCK);
    for (int from = 0; from < x.length; from += BLOCK) {
      for (int word = 0; word < BLOCK; word++) {
        block[word] ^= x[from + word];
      }
      salsa8(block);
      int number = from / BLOCK;
      System.arraycopy(block, 0, shuffled, number / 2 * BLOCK + number % 2 * (x.length / 2), BLOCK);
    }
    System.arraycopy(shuffled, 0, x, 0, x.length);
  }

  /** Salsa20/8 Core, section 3, in place. */
  private static void salsa8(int[] block) {
    int[] x = block.clone();
    for (int round = 0; round < 8; round += 2) {
      for (int column = 0; column < 4; column++) {
        quarter(x, 5 * column, 4 * ((column + 1) % 4) + column, 4 * ((column + 2) % 4) + column, 4 * ((column + 3) % 4) + column);
      }
      for (int row = 0; row < 4; row++) {
        quarter(x, 5 * row, 4 * row + (row + 1) % 4, 4 * row + (row + 2) % 4, 4 * row + (row + 3) % 4);
      }
    }
    for (int word = 0; word < BLOCK; word++) {
      block[word] += x[word];
    }
  }

  /** The quarter round of D. J. Bernstein, The Salsa20 family of stream ciphers, 2007, section 3. */
  private static void quarter(int[] x, int a, int b, int c, int d) {
    x[b] ^= Integer.rotateLeft(x[a] + x[d], 7);
    x[c] ^= Integer.rotateLeft(x[b] + x[a], 9);
    x[d] ^= Integer.rotateLeft(x[c] + x[b], 13);
    x[a] ^= Integer.rotateLeft(x[d] + x[c], 18);
  }
}
