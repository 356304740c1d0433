package org.pocketface.demo;

import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;

/**
 * The self-test's text report: stable {@code key: value} lines that a person can read and a program can parse. The format is
 * docs/selftest-report.md's; this is its only writer.
 *
 * <p>Lines keep the order in which their keys were first put. Not safe for use by several threads at once.
 */
public final class SelfTestReport {
  /** Goes up when a reader of the format before would read a report wrongly. */
  public static final int VERSION = 1;

  private static final String KEY = "[a-z0-9][a-z0-9._-]*";

  private final Map<String, String> lines = new LinkedHashMap<String, String>();
  private int checks;
  private int failed;

  /**
   * States {@code key: value}. Line breaks in the value become spaces.
   *
   * @throws IllegalArgumentException for a key of other characters than a-z, 0-9, dot, hyphen and underscore
   * @throws IllegalStateException where the key was put before
   */
  public SelfTestReport put(String key, String value) {
    if (!key.matches(KEY)) {
      throw new IllegalArgumentException("self-test report: expected a key of a-z, 0-9, '.', '-' and '_', got " + key);
    }
    if (lines.containsKey(key)) {
      throw new IllegalStateException("self-test report: expected each key once, got " + key + " again");
    }
    lines.put(key, oneLine(value));
    return this;
  }

  /** States a whole number. */
  public SelfTestReport put(String key, long value) {
    return put(key, Long.toString(value));
  }

  /** States a number with {@code digits} digits behind the point, whatever the phone's language; {@code nan} where it is none. */
  public SelfTestReport put(String key, double value, int digits) {
    return put(key, Double.isNaN(value) ? "nan" : String.format(Locale.ROOT, "%." + digits + "f", value));
  }

  /** States times in milliseconds as {@code key.ms} (median), {@code key.ms-p90} and {@code key.runs}. */
  public SelfTestReport put(String key, Timing timing) {
    return put(key + ".ms", timing.percentile(50), 3).put(key + ".ms-p90", timing.percentile(90), 3).put(key + ".runs", timing.runs());
  }

  /** States the next check as {@code check.N: pass; NAME; DETAIL}. A semicolon in the name becomes a comma. */
  public SelfTestReport check(String name, boolean passed, String detail) {
    checks++;
    failed += passed ? 0 : 1;
    return put("check." + checks, word(passed) + "; " + name.replace(';', ',') + "; " + detail);
  }

  /** How many checks were stated. */
  public int checks() {
    return checks;
  }

  /** How many of the checks that were stated failed. */
  public int failed() {
    return failed;
  }

  /** True where at least one check was stated and none failed. */
  public boolean passed() {
    return checks > 0 && failed == 0;
  }

  /** {@code pass} or {@code fail}. */
  public static String word(boolean passed) {
    return passed ? "pass" : "fail";
  }

  /** The whole report: first the version, last the result and how many lines came before the last one. */
  public String text() {
    StringBuilder text = new StringBuilder();
    text.append("pocketface-selftest: ").append(VERSION).append('\n');
    for (Map.Entry<String, String> line : lines.entrySet()) {
      text.append(line.getKey()).append(": ").append(line.getValue()).append('\n');
    }
    text.append("checks: ").append(checks).append('\n');
    text.append("failed: ").append(failed).append('\n');
    text.append("result: ").append(word(passed())).append('\n');
    text.append("end: ").append(lines.size() + 4).append('\n');
    return text.toString();
  }

  private static String oneLine(String value) {
    return value.replaceAll("\\s*[\\r\\n]+\\s*", " ").trim();
  }
}
