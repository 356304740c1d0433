package org.pocketface.demo;

import android.app.Activity;
import android.content.Intent;
import android.os.Build;
import android.os.Bundle;
import android.os.Debug;
import android.view.LayoutInflater;
import android.view.View;
import android.view.ViewGroup;
import android.widget.Button;
import android.widget.TextView;
import java.io.File;
import java.io.FileOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.text.SimpleDateFormat;
import java.util.Date;
import java.util.Locale;
import java.util.TimeZone;
import org.pocketface.sdk.PocketFaceException;

/**
 * Runs the self-test, shows what came of it, shares its report and writes it to where adb can read it (docs/selftest-report.md). An
 * intent with the extra {@code run} starts it at once.
 */
public final class SelfTestActivity extends Activity {
  /** Boolean extra: run at once. */
  static final String RUN = "run";
  /** The report, in the app's folder on shared storage. */
  static final String FILE = "selftest.txt";

  private static final String TEXT = "text";

  private SelfTestResult result;

  @Override
  protected void onCreate(Bundle saved) {
    super.onCreate(saved);
    setContentView(R.layout.selftest);
    Edges.clear(findViewById(R.id.root));
    Header.fill(this);
    findViewById(R.id.run).setOnClickListener(new View.OnClickListener() {
      @Override
      public void onClick(View view) {
        start();
      }
    });
    findViewById(R.id.share).setOnClickListener(new View.OnClickListener() {
      @Override
      public void onClick(View view) {
        share();
      }
    });
    if (saved != null && saved.getString(TEXT) != null) {
      show(new SelfTestResult(saved.getString(TEXT)));
    } else {
      say(getString(R.string.selftest_idle));
      if (getIntent().getBooleanExtra(RUN, false)) {
        start();
      }
    }
  }

  @Override
  protected void onSaveInstanceState(Bundle out) {
    super.onSaveInstanceState(out);
    if (result != null) {
      out.putString(TEXT, result.text());
    }
  }

  private void start() {
    findViewById(R.id.run).setEnabled(false);
    findViewById(R.id.share).setVisibility(View.GONE);
    findViewById(R.id.progress).setVisibility(View.VISIBLE);
    ((ViewGroup) findViewById(R.id.results)).removeAllViews();
    final DemoApplication application = (DemoApplication) getApplication();
    application.background().execute(new Runnable() {
      @Override
      public void run() {
        final SelfTestResult made = test(application);
        application.onMain(new Runnable() {
          @Override
          public void run() {
            show(made);
          }
        });
      }
    });
  }

  /** On the background thread. */
  private SelfTestResult test(final DemoApplication application) {
    File file = new File(getExternalFilesDir(null), FILE);
    if (file.exists() && !file.delete()) {
      return new SelfTestResult(failed("report", file + " cannot be deleted"));
    }
    SelfTestReport report = phone();
    try {
      SelfTestRun.run(application.openBundle(), new PssMemory(), new SelfTestRun.Progress() {
        @Override
        public void begins(final String what) {
          application.onMain(new Runnable() {
            @Override
            public void run() {
              say(getString(R.string.selftest_running, what));
            }
          });
        }
      }, report);
    } catch (PocketFaceException error) {
      report.check("bundle", false, error.code() + " " + error.getMessage());
    }
    try {
      write(file, report.text());
    } catch (IOException error) {
      report.check("report", false, file + " cannot be written: " + error.getMessage());
    }
    return new SelfTestResult(report.text());
  }

  private String failed(String check, String detail) {
    SelfTestReport report = phone();
    report.check(check, false, detail);
    return report.text();
  }

  /** A report that says where it runs. */
  private SelfTestReport phone() {
    SimpleDateFormat utc = new SimpleDateFormat("yyyy-MM-dd'T'HH:mm:ss'Z'", Locale.ROOT);
    utc.setTimeZone(TimeZone.getTimeZone("UTC"));
    return new SelfTestReport()
        .put("time", utc.format(new Date()))
        .put("app", AppVersion.of(this))
        .put("device", Build.MANUFACTURER + " " + Build.MODEL)
        .put("android", Build.VERSION.RELEASE)
        .put("api", Build.VERSION.SDK_INT)
        .put("abi", Build.SUPPORTED_ABIS[0])
        .put("cpus", Runtime.getRuntime().availableProcessors());
  }

  /** Whole or not at all. */
  private static void write(File file, String text) throws IOException {
    File fresh = new File(file.getPath() + ".new");
    try (FileOutputStream out = new FileOutputStream(fresh)) {
      out.write(text.getBytes(StandardCharsets.UTF_8));
      out.getFD().sync();
    }
    if (!fresh.renameTo(file)) {
      throw new IOException("it cannot be renamed");
    }
  }

  private void say(String what) {
    ((TextView) findViewById(R.id.result)).setText(what);
  }

  private void show(SelfTestResult shown) {
    result = shown;
    int checks = shown.checks();
    say(shown.failed() == 0 ? getString(R.string.selftest_passed, checks) : getString(R.string.selftest_failed, shown.failed(), checks));
    findViewById(R.id.progress).setVisibility(View.INVISIBLE);
    findViewById(R.id.share).setVisibility(View.VISIBLE);
    Button run = findViewById(R.id.run);
    run.setEnabled(true);
    run.setText(R.string.selftest_again);
    ViewGroup results = findViewById(R.id.results);
    results.removeAllViews();
    if (shown.failed() > 0) {
      add(results, getString(R.string.selftest_failures), shown.failures(), true);
    }
    for (String variant : shown.variants()) {
      addVariant(results, shown, variant);
    }
    if (!shown.steps().isEmpty()) {
      add(results, getString(R.string.selftest_steps), steps(shown), false);
    }
    add(results, getString(R.string.selftest_report), shown.text(), false);
  }

  private void addVariant(ViewGroup results, SelfTestResult shown, String name) {
    String key = "variant." + name + ".";
    boolean passed = "pass".equals(shown.get(key + "result"));
    String heading = name + ": " + getString(passed ? R.string.selftest_pass : R.string.selftest_fail);
    String error = shown.get(key + "error");
    String text = error != null ? error : getString(
        R.string.selftest_variant, shown.get(key + "embed.ms"), shown.get(key + "min-cosine"), shown.get(key + "bound"),
        shown.get(key + "load.ms"), shown.get(key + "memory-kib"));
    add(results, heading, text, !passed);
  }

  private String steps(SelfTestResult shown) {
    StringBuilder text = new StringBuilder();
    for (String step : shown.steps()) {
      text.append(text.length() == 0 ? "" : "\n");
      text.append(getString(R.string.selftest_step, step, shown.get("step." + step + ".ms"), shown.get("step." + step + ".ms-p90")));
    }
    return text.toString();
  }

  private void add(ViewGroup results, String heading, String text, boolean bad) {
    View entry = Entries.add(LayoutInflater.from(this), results, heading, text);
    if (bad) {
      entry.setBackgroundResource(R.drawable.card_error);
      ((TextView) entry.findViewById(R.id.entry_heading)).setTextColor(getColor(R.color.on_error_container));
      ((TextView) entry.findViewById(R.id.entry_text)).setTextColor(getColor(R.color.on_error_container));
    }
  }

  private void share() {
    Intent send = new Intent(Intent.ACTION_SEND).setType("text/plain").putExtra(Intent.EXTRA_TEXT, result.text());
    startActivity(Intent.createChooser(send, getString(R.string.selftest_share)));
  }

  private static final class PssMemory implements SelfTestRun.Memory {
    @Override
    public long kibibytes() {
      return Debug.getPss();
    }
  }
}
