package org.pocketface.sdk.gallery;

import org.jetbrains.annotations.NotNull;

/** Somebody whom a search came up with. */
public final class Candidate {
  private final String personId;
  private final float similarity;

  Candidate(String personId, float similarity) {
    this.personId = personId;
    this.similarity = similarity;
  }

  /** {@link Person#id}. */
  @NotNull
  public String personId() {
    return personId;
  }

  /** The largest cosine of any template of the person with the probe, −1 to 1. */
  public float similarity() {
    return similarity;
  }

  /** Says nothing of the person, so that a log does not either. */
  @Override
  public String toString() {
    return "Candidate";
  }
}
