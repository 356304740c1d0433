package org.pocketface.demo;

import android.os.Build;
import android.os.Debug;
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
 * The self-test that runs, or ran last. It outlives the screen that began it: a phone that is turned makes a new one. Its methods belong on
 * the main thread.
 */
final class SelfTestTask {
  /** Who shows it. */
  interface Listener {
    /** There is something else to show. */
    void changed();
  }

  private final DemoApplication application;
  private Listener listener;
  private boolean running;
  private String step = "";
  private SelfTestResult result;

  SelfTestTask(DemoApplication application) {
    this.application = application;
  }

  /** Tells {@code screen}, and nobody else, of what changes from now on. */
  void attach(Listener screen) {
    listener = screen;
  }

  /** Tells {@code screen} no longer. Another one may have come before it went. */
  void detach(Listener screen) {
    if (listener == screen) {
      listener = null;
    }
  }

  boolean running() {
    return running;
  }

  /** What runs at present, for people; empty before the first step. */
  String step() {
    return step;
  }

  /** What the last test came to; null where none ended since, or one runs. */
  SelfTestResult result() {
    return result;
  }

  /** Takes what a screen kept of a test while the app was gone. */
  void restore(SelfTestResult kept) {
    if (!running && result == null) {
      result = kept;
    }
  }

  /** Begins a test, where none runs. */
  void start() {
    if (running) {
      return;
    }
    running = true;
    step = "";
    result = null;
    tell();
    application.background().execute(new Runnable() {
      @Override
      public void run() {
        final SelfTestResult made = test();
        application.onMain(new Runnable() {
          @Override
          public void run() {
            running = false;
            result = made;
            tell();
          }
        });
      }
    });
  }

  private void tell() {
    if (listener != null) {
      listener.changed();
    }
  }

  /** On the background thread. */
  private SelfTestResult test() {
    File file = new File(application.getExternalFilesDir(null), SelfTestActivity.FILE);
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
              step = what;
              tell();
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
        .put("app", AppVersion.of(application))
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

  private static final class PssMemory implements SelfTestRun.Memory {
    @Override
    public long kibibytes() {
      return Debug.getPss();
    }
  }
}
