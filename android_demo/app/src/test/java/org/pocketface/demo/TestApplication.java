package org.pocketface.demo;

import java.io.File;
import java.security.GeneralSecurityException;
import javax.crypto.SecretKey;
import org.pocketface.sdk.Bundle;
import org.pocketface.sdk.gallery.GalleryKey;

/** The app with a bundle of the test's, and a key store that refuses where the test says so. */
public class TestApplication extends DemoApplication {
  /** File of the bundle, in the folder of tests/android/screens.py. */
  static String bundle = "assets/model.pface";
  /** How many more times the gallery's key is refused when it is looked for. */
  static int refusals;

  @Override
  Bundle openBundle() {
    return Bundle.open(new File(System.getProperty("pocketface.screens"), bundle));
  }

  @Override
  GalleryKey galleryKey() {
    final GalleryKey key = super.galleryKey();
    return new GalleryKey() {
      @Override
      public SecretKey find() throws GeneralSecurityException {
        if (refusals > 0) {
          refusals--;
          throw new GeneralSecurityException("the phone is locked");
        }
        return key.find();
      }

      @Override
      public SecretKey create() throws GeneralSecurityException {
        return key.create();
      }

      @Override
      public void forget() throws GeneralSecurityException {
        key.forget();
      }
    };
  }
}
