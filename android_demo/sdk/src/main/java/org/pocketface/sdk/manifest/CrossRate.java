package org.pocketface.sdk.manifest;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/** A true accept rate at a false accept rate, of faces of which one level embedded the one and another level the other. */
public final class CrossRate {
  /** The false accept rate. */
  public final double far;

  /** The true accept rate. */
  public final double tar;

  CrossRate(Fields fields) {
    fields.expect(new String[] {"far", "tar"});
    far = fields.share("far");
    tar = fields.share("tar");
  }

  static List<CrossRate> list(List<Fields> items) {
    List<CrossRate> result = new ArrayList<>();
    for (Fields item : items) {
      result.add(new CrossRate(item));
    }
    return Collections.unmodifiableList(result);
  }
}
