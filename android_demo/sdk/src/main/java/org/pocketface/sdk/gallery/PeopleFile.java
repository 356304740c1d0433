package org.pocketface.sdk.gallery;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.CharBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.SecureRandom;
import java.text.Normalizer;
import java.util.Arrays;
import java.util.List;
import javax.crypto.AEADBadTagException;
import javax.crypto.Cipher;
import javax.crypto.spec.GCMParameterSpec;
import javax.crypto.spec.SecretKeySpec;

/** People sealed with a passphrase, to take them to another gallery, on a desktop too: docs/people-file.md. */
final class PeopleFile {
  private static final byte[] MAGIC = {'P', 'F', 'P', 'E'};
  private static final int VERSION = 1;
  private static final int HEADER = 44;
  private static final int SALT_AT = 12;
  private static final int NONCE_AT = 28;
  private static final int SIZE_AT = 40;
  private static final int TAG = 16;
  private static final int KEY = 32;
  /** What is written: 32 MiB of memory. */
  private static final int LOG2_N = 15;

  private static final int R = 8;
  private static final int P = 1;
  private static final int MAX_BODY = 1 << 30;
  private static final SecureRandom RANDOM = new SecureRandom();

  private PeopleFile() {}

  /**
   * The whole file that holds `entries`.
   *
   * @throws GalleryException.Key where `passphrase` is empty or no text
   * @throws GalleryException.Limit where there is not memory enough
   */
  static byte[] seal(List<Entry> entries, char[] passphrase) {
    byte[] body = PeopleBody.encode(entries);
    byte[] drawn = new byte[SIZE_AT - SALT_AT];
    RANDOM.nextBytes(drawn);
    try {
      byte[] file = new byte[HEADER + body.length + TAG];
      ByteBuffer out = ByteBuffer.wrap(file).order(ByteOrder.LITTLE_ENDIAN);
      out.put(MAGIC).putShort((short) VERSION).putShort((short) 0);
      out.put((byte) LOG2_N).put((byte) R).put((byte) P).put((byte) 0).put(drawn).putInt(body.length);
      cipher(Cipher.ENCRYPT_MODE, file, passphrase).doFinal(body, 0, body.length, file, HEADER);
      return file;
    } catch (GeneralSecurityException e) {
      throw GalleryFile.unusable(e);
    } finally {
      Arrays.fill(body, (byte) 0);
    }
  }

  /**
   * What {@link #seal}, or Python, was given. Errors: those of docs/people-file.md, in its order.
   *
   * @throws GalleryException.Limit where there is not memory enough
   */
  static List<Entry> open(byte[] file, char[] passphrase) {
    checkForm(file);
    byte[] body = null;
    try {
      body = cipher(Cipher.DECRYPT_MODE, file, passphrase).doFinal(file, HEADER, file.length - HEADER);
      return PeopleBody.decode(body);
    } catch (AEADBadTagException e) {
      throw new GalleryException.Authentication("people: expected the passphrase that they were exported with and an unchanged file, got "
          + "another passphrase or a changed file");
    } catch (GeneralSecurityException e) {
      throw GalleryFile.unusable(e);
    } finally {
      if (body != null) {
        Arrays.fill(body, (byte) 0);
      }
    }
  }

  private static void checkForm(byte[] file) {
    if (file.length < HEADER || !Arrays.equals(MAGIC, Arrays.copyOf(file, MAGIC.length))) {
      throw new GalleryException.Format("people: expected a file of exported people, got another file");
    }
    ByteBuffer in = ByteBuffer.wrap(file).order(ByteOrder.LITTLE_ENDIAN);
    int version = in.getShort(4) & 0xffff;
    if (version != VERSION) {
      throw new GalleryException.Version("people: expected version " + VERSION + ", got " + version + "; update the app");
    }
    boolean bounded = in.getShort(6) == 0 && within(file[8], 10, 18) && within(file[9], 1, 8) && within(file[10], 1, 4) && file[11] == 0;
    long size = in.getInt(SIZE_AT) & 0xffffffffL;
    if (!bounded || size > MAX_BODY || HEADER + size + TAG != file.length) {
      throw new GalleryException.Format("people: expected a whole file of exported people, got one that is damaged or cut off");
    }
  }

  private static boolean within(byte value, int least, int most) {
    return value >= least && value <= most;
  }

  /** The cipher of the body, which authenticates the header of `file` too. */
  private static Cipher cipher(int mode, byte[] file, char[] passphrase) throws GeneralSecurityException {
    byte[] secret = bytes(passphrase);
    byte[] key = null;
    try {
      key = Scrypt.derive(secret, Arrays.copyOfRange(file, SALT_AT, NONCE_AT), file[8], file[9], file[10], KEY);
      Cipher cipher = Cipher.getInstance("AES/GCM/NoPadding");
      cipher.init(mode, new SecretKeySpec(key, "AES"), new GCMParameterSpec(8 * TAG, file, NONCE_AT, SIZE_AT - NONCE_AT));
      cipher.updateAAD(file, 0, HEADER);
      return cipher;
    } finally {
      Arrays.fill(secret, (byte) 0);
      if (key != null) {
        Arrays.fill(key, (byte) 0);
      }
    }
  }

  /** In normal form C, since keyboards differ in how they write an accent. */
  private static byte[] bytes(char[] passphrase) {
    String normal = Normalizer.normalize(CharBuffer.wrap(passphrase), Normalizer.Form.NFC);
    try {
      ByteBuffer encoded = StandardCharsets.UTF_8.newEncoder().encode(CharBuffer.wrap(normal));
      if (!encoded.hasRemaining()) {
        throw new GalleryException.Key("passphrase: expected at least one character, got none");
      }
      byte[] bytes = Arrays.copyOf(encoded.array(), encoded.limit());
      Arrays.fill(encoded.array(), (byte) 0);
      return bytes;
    } catch (CharacterCodingException e) {
      throw new GalleryException.Key("passphrase: expected text, got half of a character; type it again");
    }
  }
}
