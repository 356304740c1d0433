package org.pocketface.sdk.manifest;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.jetbrains.annotations.NotNull;
import org.jetbrains.annotations.Nullable;

/** What a variant reaches by a protocol. */
public final class Accuracy {
  /** Name of the protocol. */
  @NotNull public final String protocol;

  /** Fingerprint of the data. */
  @NotNull public final String dataSha256;

  /** As a share of 1. */
  public final double value;

  /** Standard deviation over the folds, where the protocol has folds. */
  @Nullable public final Double std;

  Accuracy(Fields fields) {
    fields.expect(new String[] {"protocol", "data_sha256", "value"}, "std");
    protocol = fields.text("protocol");
    dataSha256 = fields.sha256("data_sha256");
    value = fields.share("value");
    std = fields.isNull("std") ? null : Double.valueOf(fields.share("std"));
  }

  static List<Accuracy> list(List<Fields> items) {
    List<Accuracy> result = new ArrayList<>();
    for (Fields item : items) {
      result.add(new Accuracy(item));
    }
    return Collections.unmodifiableList(result);
  }
}
