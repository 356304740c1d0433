package org.pocketface.sdk.gallery;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.jetbrains.annotations.NotNull;
import org.jetbrains.annotations.Nullable;
import org.pocketface.sdk.liveness.Verdict;

/** What came of a comparison with the gallery: of 1:N the people above the threshold, of 1:1 the one person or nobody. */
public final class Match {
  private final List<Candidate> candidates;
  private final OperatingPoint point;
  private final int comparisons;
  private final Verdict liveness;

  Match(List<Candidate> candidates, OperatingPoint point, int comparisons, Verdict liveness) {
    this.candidates = Collections.unmodifiableList(new ArrayList<Candidate>(candidates));
    this.point = point;
    this.comparisons = comparisons;
    this.liveness = liveness;
  }

  /** Whether somebody was found. Never where a liveness check said that the face is not live. */
  public boolean found() {
    return !candidates.isEmpty();
  }

  /** The most similar of those found; null where nobody was. */
  @Nullable
  public Candidate best() {
    return candidates.isEmpty() ? null : candidates.get(0);
  }

  /** Everybody found, most similar first. */
  @NotNull
  public List<Candidate> candidates() {
    return candidates;
  }

  /** The threshold that was used. */
  @NotNull
  public OperatingPoint point() {
    return point;
  }

  /** How many templates the probe was compared with; 0 where it was not, since the face is not live. */
  public int comparisons() {
    return comparisons;
  }

  /** What the liveness check said; null where none was given. */
  @Nullable
  public Verdict liveness() {
    return liveness;
  }

  /** Says nothing of anybody, so that a log does not either. */
  @Override
  public String toString() {
    return "Match";
  }
}
