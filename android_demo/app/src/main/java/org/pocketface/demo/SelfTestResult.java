package org.pocketface.demo;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** What a self-test's report says, read from its text: so a screen that is made anew shows it again. */
public final class SelfTestResult {
  private static final String VARIANT = "variant.";
  private static final String STEP = "step.";

  private final String text;
  private final Map<String, String> lines = new LinkedHashMap<String, String>();

  /** Reads what {@link SelfTestReport#text} wrote. */
  public SelfTestResult(String text) {
    this.text = text;
    for (String line : text.split("\n")) {
      int colon = line.indexOf(": ");
      lines.put(line.substring(0, colon), line.substring(colon + 2));
    }
  }

  /** The report itself. */
  public String text() {
    return text;
  }

  /** The value of a key; null where there is none. */
  public String get(String key) {
    return lines.get(key);
  }

  /** How many checks there were. */
  public int checks() {
    return Integer.parseInt(get("checks"));
  }

  /** How many of them failed. */
  public int failed() {
    return Integer.parseInt(get("failed"));
  }

  /** Names of the variants, in the bundle's order. */
  public List<String> variants() {
    return between(VARIANT, ".result");
  }

  /** Names of the steps that were timed. */
  public List<String> steps() {
    return between(STEP, ".ms");
  }

  /** The checks that failed, a line each. */
  public String failures() {
    StringBuilder failures = new StringBuilder();
    for (Map.Entry<String, String> line : lines.entrySet()) {
      if (line.getKey().startsWith("check.") && line.getValue().startsWith("fail; ")) {
        failures.append(failures.length() == 0 ? "" : "\n").append(line.getValue().substring("fail; ".length()).replaceFirst("; ", ": "));
      }
    }
    return failures.toString();
  }

  private List<String> between(String prefix, String suffix) {
    List<String> names = new ArrayList<String>();
    for (String key : lines.keySet()) {
      if (key.startsWith(prefix) && key.endsWith(suffix)) {
        names.add(key.substring(prefix.length(), key.length() - suffix.length()));
      }
    }
    return names;
  }
}
