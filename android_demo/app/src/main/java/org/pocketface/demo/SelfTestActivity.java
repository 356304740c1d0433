package org.pocketface.demo;

import android.app.Activity;
import android.content.Intent;
import android.os.Bundle;
import android.view.LayoutInflater;
import android.view.View;
import android.view.ViewGroup;
import android.widget.Button;
import android.widget.TextView;

/**
 * Shows the self-test and what came of it, shares its report, which lies where adb can read it (docs/selftest-report.md). An intent with the
 * extra {@code run} starts it at once.
 */
public final class SelfTestActivity extends Activity implements SelfTestTask.Listener {
  /** Boolean extra: run at once. */
  static final String RUN = "run";
  /** The report, in the app's folder on shared storage. */
  static final String FILE = "selftest.txt";

  private static final String TEXT = "text";

  private SelfTestTask task;

  @Override
  protected void onCreate(Bundle saved) {
    super.onCreate(saved);
    setContentView(R.layout.selftest);
    Edges.clear(findViewById(R.id.root));
    Header.fill(this);
    findViewById(R.id.run).setOnClickListener(new View.OnClickListener() {
      @Override
      public void onClick(View view) {
        task.start();
      }
    });
    findViewById(R.id.share).setOnClickListener(new View.OnClickListener() {
      @Override
      public void onClick(View view) {
        share();
      }
    });
    task = ((DemoApplication) getApplication()).selfTest();
    if (saved != null && saved.getString(TEXT) != null) {
      task.restore(new SelfTestResult(saved.getString(TEXT)));
    } else if (saved == null && getIntent().getBooleanExtra(RUN, false)) {
      task.start();
    }
  }

  @Override
  protected void onStart() {
    super.onStart();
    task.attach(this);
    changed();
  }

  @Override
  protected void onStop() {
    task.detach(this);
    super.onStop();
  }

  @Override
  protected void onSaveInstanceState(Bundle out) {
    super.onSaveInstanceState(out);
    if (task.result() != null) {
      out.putString(TEXT, task.result().text());
    }
  }

  @Override
  public void changed() {
    if (task.running()) {
      showRunning();
    } else if (task.result() != null) {
      show(task.result());
    } else {
      say(getString(R.string.selftest_idle));
    }
  }

  private void showRunning() {
    findViewById(R.id.run).setEnabled(false);
    findViewById(R.id.share).setVisibility(View.GONE);
    findViewById(R.id.progress).setVisibility(View.VISIBLE);
    ((ViewGroup) findViewById(R.id.results)).removeAllViews();
    say(task.step().isEmpty() ? "" : getString(R.string.selftest_running, task.step()));
  }

  private void say(String what) {
    ((TextView) findViewById(R.id.result)).setText(what);
  }

  private void show(SelfTestResult shown) {
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
    Intent send = new Intent(Intent.ACTION_SEND).setType("text/plain").putExtra(Intent.EXTRA_TEXT, task.result().text());
    startActivity(Intent.createChooser(send, getString(R.string.selftest_share)));
  }
}
