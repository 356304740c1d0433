package org.pocketface.sdk;

import org.jetbrains.annotations.NotNull;

/** One thing that the self-test checked. */
public final class Check {
  /** What: {@code detect IMAGE#FACE}, {@code align CROP}, {@code tensor CROP}, {@code embed VARIANT}. */
  @NotNull public final String name;

  /** Whether it held. */
  public final boolean passed;

  /** The figure that says so, one line. */
  @NotNull public final String detail;

  /** What it took: of {@code detect} and {@code align} once, of {@code embed} the median of a face; 0 where nothing ran. */
  public final double milliseconds;

  Check(String name, boolean passed, String detail, double milliseconds) {
    this.name = name;
    this.passed = passed;
    this.detail = detail;
    this.milliseconds = milliseconds;
  }
}
