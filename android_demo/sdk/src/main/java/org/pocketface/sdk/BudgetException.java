package org.pocketface.sdk;

import org.jetbrains.annotations.NotNull;

/** budget: a time that no level of a net embeds a face in on this device, or that is none. */
public final class BudgetException extends PocketFaceException {
  public BudgetException(@NotNull String message) {
    super("budget", message);
  }
}
