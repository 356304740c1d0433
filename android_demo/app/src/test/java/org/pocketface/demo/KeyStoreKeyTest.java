package org.pocketface.demo;

import static org.junit.Assert.assertArrayEquals;
import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertNotNull;
import static org.junit.Assert.assertNull;
import static org.junit.Assert.assertSame;
import static org.junit.Assert.assertThrows;
import static org.junit.Assert.assertTrue;

import android.security.keystore.KeyGenParameterSpec;
import java.io.File;
import java.nio.file.Files;
import java.security.KeyStoreException;
import java.util.Collections;
import javax.crypto.SecretKey;
import org.junit.After;
import org.junit.Rule;
import org.junit.Test;
import org.junit.rules.TemporaryFolder;
import org.junit.runner.RunWith;
import org.pocketface.sdk.android.KeyStoreKey;
import org.pocketface.sdk.gallery.Gallery;
import org.pocketface.sdk.gallery.GalleryException;
import org.pocketface.sdk.gallery.TemplateModel;
import org.robolectric.RobolectricTestRunner;
import org.robolectric.annotation.Config;

/** The gallery with the key that it has on a phone; only the key store is a double. */
@RunWith(RobolectricTestRunner.class)
@Config(sdk = 35, application = android.app.Application.class)
public final class KeyStoreKeyTest {
  private static final TemplateModel MODEL = new TemplateModel(String.join("", Collections.nCopies(64, "a")), "int8", 2);

  @Rule public final TemporaryFolder folder = new TemporaryFolder();

  private final KeyStoreKey key = new KeyStoreKey("people");

  @After
  public void removeTheDouble() {
    StrictKeyStore.remove();
  }

  @Test
  public void theDoubleIsNeeded() {
    assertThrows(KeyStoreException.class, key::find);
  }

  @Test
  public void aKeyIsMadeOnceAndIsForThisAlone() throws Exception {
    StrictKeyStore.install();
    assertNull(key.find());
    SecretKey made = key.create();
    assertSame(made, key.find());
    assertNull(made.getEncoded());
    KeyGenParameterSpec spec = StrictKeyStore.KEYS.get("people").spec;
    assertEquals(256, spec.getKeySize());
    assertTrue(spec.isRandomizedEncryptionRequired());
    assertArrayEquals(new String[] {"GCM"}, spec.getBlockModes());
    assertFalse("without a StrongBox the key is made where there is one", spec.isStrongBoxBacked());
    key.forget();
    assertNull(key.find());
    key.forget();
  }

  @Test
  public void aGalleryIsReadAgainAndHoldsNoNameInTheClear() throws Exception {
    StrictKeyStore.install();
    File file = new File(folder.getRoot(), "people.gallery");
    try (Gallery gallery = Gallery.open(file, key)) {
      gallery.enrol("Ada Lovelace", MODEL, Collections.singletonList(new float[] {0.6f, 0.8f}));
    }
    assertFalse(new String(Files.readAllBytes(file.toPath()), java.nio.charset.StandardCharsets.ISO_8859_1).contains("Ada"));
    try (Gallery gallery = Gallery.open(file, new KeyStoreKey("people"))) {
      assertEquals("Ada Lovelace", gallery.people().get(0).name());
    }
  }

  @Test
  public void deletingAllDeletesTheKeyToo() throws Exception {
    StrictKeyStore.install();
    File file = new File(folder.getRoot(), "people.gallery");
    try (Gallery gallery = Gallery.open(file, key)) {
      gallery.enrol("Ada", MODEL, Collections.singletonList(new float[] {1, 0}));
      assertNotNull(key.find());
      gallery.deleteAll();
      assertNull(key.find());
      assertFalse(file.exists());
    }
  }

  @Test
  public void aGalleryFromAnotherPhoneIsRefusedAndNotOverwritten() throws Exception {
    StrictKeyStore.install();
    File file = new File(folder.getRoot(), "people.gallery");
    try (Gallery gallery = Gallery.open(file, key)) {
      gallery.enrol("Ada", MODEL, Collections.singletonList(new float[] {1, 0}));
    }
    byte[] before = Files.readAllBytes(file.toPath());
    StrictKeyStore.KEYS.clear();
    assertThrows(GalleryException.Key.class, () -> Gallery.open(file, key));
    assertArrayEquals(before, Files.readAllBytes(file.toPath()));
  }
}
