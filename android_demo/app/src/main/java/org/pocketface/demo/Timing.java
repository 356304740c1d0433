package org.pocketface.demo;

import java.util.Arrays;

/** Durations of one step, of which percentiles are asked. Not safe for use by several threads at once. */
public final class Timing {
  private static final double NANOSECONDS_PER_MILLISECOND = 1e6;

  private double[] milliseconds = new double[16];
  private int runs;

  /** Adds a run that took {@code nanoseconds}, a difference of two {@link System#nanoTime()}. */
  public void add(long nanoseconds) {
    if (runs == milliseconds.length) {
      milliseconds = Arrays.copyOf(milliseconds, 2 * runs);
    }
    milliseconds[runs++] = nanoseconds / NANOSECONDS_PER_MILLISECOND;
  }

  /** How many runs were added. */
  public int runs() {
    return runs;
  }

  /** The run, in milliseconds, that {@code percent} of 100 of all runs are not above (nearest rank); NaN where there is none. */
  public double percentile(int percent) {
    if (runs == 0) {
      return Double.NaN;
    }
    double[] sorted = Arrays.copyOf(milliseconds, runs);
    Arrays.sort(sorted);
    return sorted[Math.max(0, (percent * runs + 99) / 100 - 1)];
  }
}
