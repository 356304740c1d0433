package org.pocketface.sdk.liveness;

import org.jetbrains.annotations.NotNull;

/** What a liveness check came to. */
public final class Verdict {
  private final boolean live;
  private final String reason;

  private Verdict(boolean live, String reason) {
    this.live = live;
    this.reason = reason;
  }

  /** The face is that of somebody who is there. */
  @NotNull
  public static Verdict ofLive() {
    return new Verdict(true, "");
  }

  /** The face is not, or it cannot be told: {@code reason} is what to tell the user, one line. */
  @NotNull
  public static Verdict notLive(@NotNull String reason) {
    return new Verdict(false, reason);
  }

  /** Whether a match may count. */
  public boolean live() {
    return live;
  }

  /** Why not, for the user; empty where it is live. */
  @NotNull
  public String reason() {
    return reason;
  }

  @Override
  public String toString() {
    return live ? "live" : "not live: " + reason;
  }
}
