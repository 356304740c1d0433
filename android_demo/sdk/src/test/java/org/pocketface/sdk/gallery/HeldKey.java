package org.pocketface.sdk.gallery;

import java.security.GeneralSecurityException;
import java.util.Arrays;
import javax.crypto.SecretKey;
import javax.crypto.spec.SecretKeySpec;

/** A key in memory, for the desktop: the n-th key that it makes is 32 bytes of n. */
final class HeldKey implements GalleryKey {
  private SecretKey key;
  private int made;

  @Override
  public SecretKey find() {
    return key;
  }

  @Override
  public SecretKey create() throws GeneralSecurityException {
    made++;
    key = numbered(made);
    return key;
  }

  @Override
  public void forget() {
    key = null;
  }

  /** Another key store in the same state. */
  HeldKey copy() {
    HeldKey copy = new HeldKey();
    copy.key = key;
    copy.made = made;
    return copy;
  }

  static SecretKey numbered(int number) {
    byte[] bytes = new byte[32];
    Arrays.fill(bytes, (byte) number);
    return new SecretKeySpec(bytes, "AES");
  }
}
