package org.pocketface.sdk.gallery;

import java.security.GeneralSecurityException;
import javax.crypto.SecretKey;
import org.jetbrains.annotations.NotNull;
import org.jetbrains.annotations.Nullable;

/**
 * Where the key of one gallery lives: an AES-256 key that can encrypt and decrypt with GCM and need not leave its store
 * ({@link org.pocketface.sdk.android.KeyStoreKey} on a phone). A key belongs to one gallery: where that is deleted, it goes.
 *
 * <p>It is used for 32 bytes at each reading and writing, never for the templates themselves, so a slow store is fast enough.
 */
public interface GalleryKey {
  /** The key, or null where there is none. */
  @Nullable
  SecretKey find() throws GeneralSecurityException;

  /** Makes the key and keeps it. Called where {@link #find} gave null. */
  @NotNull
  SecretKey create() throws GeneralSecurityException;

  /** Destroys the key: what it sealed cannot be read again. Does nothing where there is none. */
  void forget() throws GeneralSecurityException;
}
