package org.pocketface.sdk.manifest;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.jetbrains.annotations.NotNull;

/** How embeddings of two levels of a net match each other. */
public final class CrossLevel {
  /** Name of the level that embedded the one image of each comparison. */
  @NotNull public final String enrolled;

  /** Name of the level that embedded the other. */
  @NotNull public final String probe;

  /** Name of the protocol. */
  @NotNull public final String protocol;

  /** Fingerprint of the data. */
  @NotNull public final String dataSha256;

  /** True accept rates by false accept rate. */
  @NotNull public final List<CrossRate> rates;

  /** Thresholds for such comparisons. */
  @NotNull public final List<Threshold> thresholds;

  /** Rates that the data could not support. */
  @NotNull public final List<UnsupportedThreshold> thresholdsLeftOut;

  CrossLevel(Fields fields) {
    fields.expect(new String[] {"enrolled", "probe", "protocol", "data_sha256", "rates", "thresholds", "thresholds_left_out"});
    enrolled = fields.name("enrolled");
    probe = fields.name("probe");
    protocol = fields.text("protocol");
    dataSha256 = fields.sha256("data_sha256");
    rates = CrossRate.list(fields.items("rates", 0));
    thresholds = Threshold.list(fields.items("thresholds", 0));
    thresholdsLeftOut = UnsupportedThreshold.list(fields.items("thresholds_left_out", 0));
  }

  /** Whether it is of the levels of these names, in either order. */
  boolean isOf(String one, String other) {
    return enrolled.equals(one) && probe.equals(other) || enrolled.equals(other) && probe.equals(one);
  }

  static List<CrossLevel> list(List<Fields> items) {
    List<CrossLevel> result = new ArrayList<>();
    for (Fields item : items) {
      result.add(new CrossLevel(item));
    }
    return Collections.unmodifiableList(result);
  }
}
