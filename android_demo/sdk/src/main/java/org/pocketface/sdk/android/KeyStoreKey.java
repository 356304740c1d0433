package org.pocketface.sdk.android;

import android.os.Build;
import android.security.keystore.KeyGenParameterSpec;
import android.security.keystore.KeyProperties;
import java.io.IOException;
import java.security.GeneralSecurityException;
import java.security.Key;
import java.security.KeyStore;
import java.security.ProviderException;
import javax.crypto.KeyGenerator;
import javax.crypto.SecretKey;
import org.jetbrains.annotations.NotNull;
import org.jetbrains.annotations.Nullable;
import org.pocketface.sdk.gallery.GalleryKey;

/**
 * A gallery's key in AndroidKeyStore: AES-256 for GCM, which no app can read, this one included, and which backups do not hold. In a
 * StrongBox where the phone has one (Android 9), else in the trusted execution environment, where it has that.
 *
 * <p>It can be used whenever the app runs: it asks for no fingerprint or code of the phone's user.
 */
public final class KeyStoreKey implements GalleryKey {
  private static final String STORE = "AndroidKeyStore";
  private static final int BITS = 256;

  private final String alias;

  /** The key of that name, which is this app's alone; give each gallery one of its own. */
  public KeyStoreKey(@NotNull String alias) {
    this.alias = alias;
  }

  @Nullable
  @Override
  public SecretKey find() throws GeneralSecurityException {
    Key key = store().getKey(alias, null);
    return key instanceof SecretKey ? (SecretKey) key : null;
  }

  @NotNull
  @Override
  public SecretKey create() throws GeneralSecurityException {
    if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.P) {
      try {
        return generate(inStrongBox(spec()));
      } catch (ProviderException e) {
        // There is no StrongBox, or it does not do AES-256: StrongBoxUnavailableException, which Android 8 does not know, or its parent.
        return generate(spec());
      }
    }
    return generate(spec());
  }

  @Override
  public void forget() throws GeneralSecurityException {
    store().deleteEntry(alias);
  }

  /** What is asked of the key store. That nonces are random, and its own, is its default. */
  KeyGenParameterSpec.Builder spec() {
    return new KeyGenParameterSpec.Builder(alias, KeyProperties.PURPOSE_ENCRYPT | KeyProperties.PURPOSE_DECRYPT)
        .setBlockModes(KeyProperties.BLOCK_MODE_GCM)
        .setEncryptionPaddings(KeyProperties.ENCRYPTION_PADDING_NONE)
        .setKeySize(BITS);
  }

  @SinceApi(Build.VERSION_CODES.P)
  private static KeyGenParameterSpec.Builder inStrongBox(KeyGenParameterSpec.Builder spec) {
    return spec.setIsStrongBoxBacked(true);
  }

  private static SecretKey generate(KeyGenParameterSpec.Builder spec) throws GeneralSecurityException {
    KeyGenerator generator = KeyGenerator.getInstance(KeyProperties.KEY_ALGORITHM_AES, STORE);
    generator.init(spec.build());
    return generator.generateKey();
  }

  private static KeyStore store() throws GeneralSecurityException {
    KeyStore store = KeyStore.getInstance(STORE);
    try {
      store.load(null);
    } catch (IOException e) {
      throw new GeneralSecurityException("the key store cannot be opened", e);
    }
    return store;
  }
}
