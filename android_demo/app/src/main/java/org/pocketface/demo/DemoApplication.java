package org.pocketface.demo;

import android.app.Application;
import android.os.Handler;
import android.os.Looper;
import java.io.File;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import org.pocketface.sdk.Bundle;
import org.pocketface.sdk.PocketFaceException;
import org.pocketface.sdk.android.AssetBundles;
import org.pocketface.sdk.android.KeyStoreKey;
import org.pocketface.sdk.gallery.Gallery;
import org.pocketface.sdk.gallery.GalleryException;
import org.pocketface.sdk.gallery.GalleryKey;

/** What all screens share: the model, the gallery, and the one thread that works with them. Its methods belong on the main thread. */
public class DemoApplication extends Application {
  /** The bundle, stored in the APK as it is and mapped from there. */
  static final String ASSET = "model.pface";

  private static final String GALLERY = "people.gallery";
  private static final String KEY = "people";
  private static final String SETTINGS = "settings";
  private static final String FMR = "fmr";

  /** Called on the main thread. */
  interface Listener {
    void loaded(Loaded loaded);
  }

  private final ExecutorService background = Executors.newSingleThreadExecutor();
  private final Handler main = new Handler(Looper.getMainLooper());
  private final List<Listener> waiting = new ArrayList<Listener>();
  private final SelfTestTask selfTest = new SelfTestTask(this);
  private boolean loading;
  private Loaded loaded;

  /** Runs one thing after the other, all that has to do with the model or the gallery. */
  ExecutorService background() {
    return background;
  }

  /** Runs something on the main thread. */
  void onMain(Runnable what) {
    main.post(what);
  }

  /** The self-test, which goes on while its screens come and go. */
  SelfTestTask selfTest() {
    return selfTest;
  }

  /** Loads the model and the gallery where that has not been done, or failed, then calls {@code listener}. */
  void whenLoaded(Listener listener) {
    if (loaded != null) {
      listener.loaded(loaded);
      return;
    }
    waiting.add(listener);
    if (!loading) {
      loading = true;
      background.execute(new Runnable() {
        @Override
        public void run() {
          final Loaded made = load();
          onMain(new Runnable() {
            @Override
            public void run() {
              finish(made);
            }
          });
        }
      });
    }
  }

  /** Deletes a gallery that cannot be read, with its key, and loads again; errors come to {@code listener} as that of loading does. */
  void deleteGallery(Listener listener) {
    loaded = null;
    background.execute(new Runnable() {
      @Override
      public void run() {
        try {
          Gallery.destroy(galleryFile(), galleryKey());
        } catch (PocketFaceException error) {
          return; // whatever is still wrong, loading says
        }
      }
    });
    whenLoaded(listener);
  }

  /** The false match rate that the user picked. */
  double fmr() {
    return getSharedPreferences(SETTINGS, MODE_PRIVATE).getFloat(FMR, (float) FmrChoices.DEFAULT_FMR);
  }

  /** Remembers the false match rate that the user picked. */
  void setFmr(double fmr) {
    getSharedPreferences(SETTINGS, MODE_PRIVATE).edit().putFloat(FMR, (float) fmr).apply();
  }

  private void finish(Loaded made) {
    loading = false;
    loaded = made.error() == null ? made : null; // a locked phone or a bad read may pass: who asks next loads again
    List<Listener> served = new ArrayList<Listener>(waiting);
    waiting.clear();
    for (Listener listener : served) {
      listener.loaded(made);
    }
  }

  private Loaded load() {
    Bundle bundle;
    try {
      bundle = openBundle();
    } catch (PocketFaceException error) {
      return Loaded.modelFailed(error);
    }
    Gallery gallery;
    try {
      gallery = Gallery.open(galleryFile(), galleryKey());
    } catch (PocketFaceException error) {
      return Loaded.galleryFailed(error);
    }
    try {
      return Loaded.ready(new Recognition(bundle, gallery));
    } catch (PocketFaceException error) {
      gallery.close();
      return error instanceof GalleryException ? Loaded.galleryFailed(error) : Loaded.modelFailed(error);
    }
  }

  /** Maps the bundle from the APK and verifies it. */
  Bundle openBundle() {
    return AssetBundles.open(getAssets(), ASSET);
  }

  File galleryFile() {
    return new File(getNoBackupFilesDir(), GALLERY);
  }

  GalleryKey galleryKey() {
    return new KeyStoreKey(KEY);
  }
}
