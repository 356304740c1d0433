package org.pocketface.sdk.manifest;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.jetbrains.annotations.NotNull;

/** A false match rate that the faces at hand could not support a threshold for. */
public final class UnsupportedThreshold {
  /** The false match rate. */
  public final double fmr;

  /** Why there is no threshold. */
  @NotNull public final String reason;

  UnsupportedThreshold(Fields fields) {
    fields.expect(new String[] {"fmr", "reason"});
    fmr = fields.share("fmr");
    reason = fields.text("reason");
  }

  static List<UnsupportedThreshold> list(List<Fields> items) {
    List<UnsupportedThreshold> result = new ArrayList<>();
    for (Fields item : items) {
      result.add(new UnsupportedThreshold(item));
    }
    return Collections.unmodifiableList(result);
  }
}
