package org.pocketface.demo;

import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import org.pocketface.sdk.manifest.Threshold;

/** The false match rates that a user can pick: those that the manifest has a threshold for, the least strict first. There may be none. */
public final class FmrChoices {
  /** What is picked before the user picked: the rate that the Python runtime uses where none is asked for. */
  public static final double DEFAULT_FMR = 0.001;

  private final List<Threshold> thresholds;

  /** The choices among {@code stated}. */
  public FmrChoices(List<Threshold> stated) {
    List<Threshold> sorted = new ArrayList<Threshold>(stated);
    Collections.sort(sorted, new Comparator<Threshold>() {
      @Override
      public int compare(Threshold first, Threshold second) {
        return Double.compare(second.fmr, first.fmr);
      }
    });
    thresholds = Collections.unmodifiableList(sorted);
  }

  /** The thresholds, that of the largest rate first. */
  public List<Threshold> thresholds() {
    return thresholds;
  }

  /**
   * Which of {@link #thresholds} is nearest to the rate {@code fmr}, by their ratio; the stricter one of two that are equally near. -1
   * where there is none.
   */
  public int nearest(double fmr) {
    int best = -1;
    for (int at = 0; at < thresholds.size(); at++) {
      if (best < 0 || away(at, fmr) <= away(best, fmr)) {
        best = at;
      }
    }
    return best;
  }

  private double away(int at, double fmr) {
    return Math.abs(Math.log(thresholds.get(at).fmr / fmr));
  }

  /** N of "1 of N comparisons" at the rate {@code fmr}: to two digits, since no rate is known better than that. */
  public static long oneOf(double fmr) {
    double exact = 1 / fmr;
    double step = Math.pow(10, Math.max(0, Math.floor(Math.log10(exact)) - 1));
    return Math.round(Math.round(exact / step) * step);
  }
}
