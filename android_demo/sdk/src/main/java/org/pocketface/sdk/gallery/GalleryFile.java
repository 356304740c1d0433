package org.pocketface.sdk.gallery;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.security.GeneralSecurityException;
import java.security.ProviderException;
import java.security.SecureRandom;
import java.util.Arrays;
import java.util.List;
import javax.crypto.AEADBadTagException;
import javax.crypto.Cipher;
import javax.crypto.SecretKey;
import javax.crypto.spec.GCMParameterSpec;
import javax.crypto.spec.SecretKeySpec;

/**
 * The sealed form of a gallery: docs/gallery-format.md, section 1.
 *
 * <p>AES-256-GCM (NIST SP 800-38D) twice: the gallery's key seals a data key that is made for this one writing, and the data key
 * seals the people. So a key store in hardware, which is slow, has 32 bytes to do, however many people there are.
 */
final class GalleryFile {
  /** Everything before the body; no two files have the same one, since its nonces and data key are drawn at random. */
  static final int HEADER = 84;

  static final int MAX_BODY = 1 << 26;
  static final int MAX_FILE = HEADER + MAX_BODY + 16;

  private static final byte[] MAGIC = {'P', 'F', 'G', 'A'};
  private static final int VERSION = 1;
  private static final int PREFIX = 8;
  private static final int NONCE = 12;
  private static final int TAG = 16;
  private static final int DATA_KEY = 32;
  private static final SecureRandom RANDOM = new SecureRandom();

  private GalleryFile() {}

  /**
   * The whole file that holds `entries`.
   *
   * @throws GalleryException.Key where `key` cannot be used
   * @throws GalleryException.Limit where they are more than a gallery holds
   */
  static byte[] seal(List<Entry> entries, SecretKey key) {
    byte[] body = GalleryBody.encode(entries);
    byte[] dataKey = new byte[DATA_KEY];
    byte[] nonce = new byte[NONCE];
    RANDOM.nextBytes(dataKey);
    RANDOM.nextBytes(nonce);
    try {
      byte[] file = new byte[HEADER + body.length + TAG];
      ByteBuffer out = ByteBuffer.wrap(file).order(ByteOrder.LITTLE_ENDIAN);
      out.put(MAGIC).putShort((short) VERSION).putShort((short) 0);
      // No nonce is given here: AndroidKeyStore insists on drawing its own.
      Cipher wrap = Cipher.getInstance("AES/GCM/NoPadding");
      wrap.init(Cipher.ENCRYPT_MODE, key);
      wrap.updateAAD(file, 0, PREFIX);
      byte[] sealedKey = wrap.doFinal(dataKey);
      byte[] drawn = wrap.getIV();
      if (drawn.length != NONCE || sealedKey.length != DATA_KEY + TAG) {
        throw new GalleryException.Key("gallery: expected a key store that draws nonces of 96 bits, got " + 8 * drawn.length);
      }
      out.put(drawn).put(sealedKey).put(nonce).putInt(body.length);
      cipher(Cipher.ENCRYPT_MODE, dataKey, nonce, file).doFinal(body, 0, body.length, file, HEADER);
      return file;
    } catch (GeneralSecurityException e) {
      throw unusable(e);
    } catch (ProviderException e) {
      throw unusable(e);
    } finally {
      Arrays.fill(body, (byte) 0);
      Arrays.fill(dataKey, (byte) 0);
    }
  }

  /**
   * Refuses what cannot be a gallery, before a key is asked for.
   *
   * @throws GalleryException.Format for what is none, or is cut off
   * @throws GalleryException.Version
   * @throws GalleryException.Limit
   */
  static void checkForm(byte[] file) {
    if (file.length < HEADER + TAG || !Arrays.equals(MAGIC, Arrays.copyOf(file, MAGIC.length))) {
      throw new GalleryException.Format("gallery: expected PFGA and at least " + (HEADER + TAG) + " bytes, got " + file.length
          + " bytes of something else; delete the gallery and enrol again");
    }
    ByteBuffer in = ByteBuffer.wrap(file).order(ByteOrder.LITTLE_ENDIAN);
    int version = in.getShort(4) & 0xffff;
    if (version != VERSION) {
      throw new GalleryException.Version("gallery: expected version " + VERSION + ", got " + version + "; update the app");
    }
    if (in.getShort(6) != 0) {
      throw new GalleryException.Format("gallery: expected 0 at byte 6, got " + (in.getShort(6) & 0xffff));
    }
    long size = in.getInt(HEADER - 4) & 0xffffffffL;
    if (size > MAX_BODY) {
      throw new GalleryException.Limit("gallery: expected at most " + MAX_BODY + " bytes of people, got " + size);
    }
    if (HEADER + size + TAG != file.length) {
      throw new GalleryException.Format(
          "gallery: expected " + (HEADER + size + TAG) + " bytes, got " + file.length + "; it was cut off or added to");
    }
  }

  /**
   * What {@link #seal} was given.
   *
   * @throws GalleryException.Format where the form is wrong, here or inside
   * @throws GalleryException.Version
   * @throws GalleryException.Limit
   * @throws GalleryException.Key where `key` cannot be used
   * @throws GalleryException.Authentication for another key, or where any bit was changed
   */
  static List<Entry> open(byte[] file, SecretKey key) {
    checkForm(file);
    byte[] dataKey = null;
    byte[] body = null;
    try {
      Cipher unwrap = Cipher.getInstance("AES/GCM/NoPadding");
      unwrap.init(Cipher.DECRYPT_MODE, key, new GCMParameterSpec(8 * TAG, file, PREFIX, NONCE));
      unwrap.updateAAD(file, 0, PREFIX);
      dataKey = unwrap.doFinal(file, PREFIX + NONCE, DATA_KEY + TAG);
      byte[] nonce = Arrays.copyOfRange(file, HEADER - 4 - NONCE, HEADER - 4);
      body = cipher(Cipher.DECRYPT_MODE, dataKey, nonce, file).doFinal(file, HEADER, file.length - HEADER);
      return GalleryBody.decode(body);
    } catch (AEADBadTagException e) {
      throw new GalleryException.Authentication(
          "gallery: expected the bytes that were written with this key, got others; delete the gallery and enrol again");
    } catch (GeneralSecurityException e) {
      throw unusable(e);
    } catch (ProviderException e) {
      throw unusable(e);
    } finally {
      wipe(dataKey);
      wipe(body);
    }
  }

  /** The cipher of the body, which authenticates the header of `file` as well. */
  private static Cipher cipher(int mode, byte[] dataKey, byte[] nonce, byte[] file) throws GeneralSecurityException {
    Cipher cipher = Cipher.getInstance("AES/GCM/NoPadding");
    cipher.init(mode, new SecretKeySpec(dataKey, "AES"), new GCMParameterSpec(8 * TAG, nonce));
    cipher.updateAAD(file, 0, HEADER);
    return cipher;
  }

  static GalleryException.Key unusable(Exception cause) {
    GalleryException.Key error = new GalleryException.Key("gallery: expected a key that can be used, the key store refuses it ("
        + cause.getClass().getSimpleName() + "); unlock the phone, or delete the gallery and enrol again");
    error.initCause(cause);
    return error;
  }

  private static void wipe(byte[] secret) {
    if (secret != null) {
      Arrays.fill(secret, (byte) 0);
    }
  }
}
