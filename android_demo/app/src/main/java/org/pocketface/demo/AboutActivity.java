package org.pocketface.demo;

import android.app.Activity;
import android.os.Build;
import android.os.Bundle;
import android.text.format.Formatter;
import android.view.LayoutInflater;
import android.view.ViewGroup;
import java.nio.charset.StandardCharsets;
import org.pocketface.sdk.Interpreter;
import org.pocketface.sdk.PocketFaceException;
import org.pocketface.sdk.manifest.BlobFile;
import org.pocketface.sdk.manifest.DataSource;
import org.pocketface.sdk.manifest.Licence;
import org.pocketface.sdk.manifest.Manifest;
import org.pocketface.sdk.manifest.Variant;

/** What the app is and does, and all that the bundle says of its model: card, variants, licences, data, hashes. */
public final class AboutActivity extends Activity {
  private ViewGroup content;

  @Override
  protected void onCreate(Bundle saved) {
    super.onCreate(saved);
    setContentView(R.layout.about);
    Edges.clear(findViewById(R.id.root));
    Header.fill(this);
    content = findViewById(R.id.content);
    add(R.string.about_privacy_heading, getString(R.string.about_privacy));
    final DemoApplication application = (DemoApplication) getApplication();
    application.background().execute(new Runnable() {
      @Override
      public void run() {
        read(application);
      }
    });
  }

  /** On the background thread: verifying a bundle takes a while. */
  private void read(DemoApplication application) {
    try {
      final org.pocketface.sdk.Bundle bundle = application.openBundle();
      final String runtime = Interpreter.runtime();
      application.onMain(new Runnable() {
        @Override
        public void run() {
          show(bundle, runtime);
        }
      });
    } catch (final PocketFaceException error) {
      application.onMain(new Runnable() {
        @Override
        public void run() {
          add(R.string.damaged_title, getString(R.string.damaged_text, error.getMessage(), error.code()));
        }
      });
    }
  }

  private void show(org.pocketface.sdk.Bundle bundle, String runtime) {
    Manifest manifest = bundle.manifest();
    add(R.string.about_app_heading, getString(R.string.about_app, AppVersion.of(this), Build.VERSION.RELEASE, runtime));
    add(
        R.string.about_model_heading,
        getString(R.string.about_model, manifest.name, manifest.target.name, manifest.defaultVariant, manifest.embedding.size));
    StringBuilder variants = new StringBuilder();
    for (Variant variant : manifest.variants) {
      line(variants, getString(R.string.about_variant, variant.name, size(variant.bytes.stored), size(variant.bytes.raw)));
    }
    add(R.string.about_variants_heading, variants.toString());
    StringBuilder licences = new StringBuilder();
    for (Licence licence : manifest.licences) {
      line(licences, licence.covers + ": " + licence.spdx + "\n" + licence.terms + "\n");
    }
    add(R.string.about_licences_heading, licences.toString().trim());
    if (!manifest.data.isEmpty()) {
      add(R.string.about_data_heading, data(manifest));
    }
    addCard(bundle);
    add(R.string.about_hashes_heading, hashes(bundle));
  }

  /** The model card, as the bundle carries it; nothing where it carries none. */
  private void addCard(org.pocketface.sdk.Bundle bundle) {
    for (BlobFile file : bundle.manifest().files) {
      if (file.role.equals("model-card")) {
        add(R.string.about_card_heading, StandardCharsets.UTF_8.decode(bundle.blob(file.path)).toString().trim());
      }
    }
  }

  private static String data(Manifest manifest) {
    StringBuilder data = new StringBuilder();
    for (DataSource source : manifest.data) {
      line(data, source.name + " (" + source.use + "): " + source.licence);
    }
    return data.toString();
  }

  private String hashes(org.pocketface.sdk.Bundle bundle) {
    StringBuilder hashes = new StringBuilder(getString(R.string.about_bundle_hash, bundle.sha256()));
    for (Variant variant : bundle.manifest().variants) {
      line(hashes, variant.name + "\n" + variant.sha256);
    }
    return hashes.toString();
  }

  private String size(long bytes) {
    return Formatter.formatShortFileSize(this, bytes);
  }

  private static void line(StringBuilder text, String line) {
    text.append(text.length() == 0 ? "" : "\n").append(line);
  }

  private void add(int heading, String text) {
    Entries.add(LayoutInflater.from(this), content, getString(heading), text);
  }
}
