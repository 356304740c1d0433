package org.pocketface.sdk.manifest;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/** True accept rates at one false accept rate, of a variant and of the reference on the same faces. */
public final class KeptTar {
  /** The false accept rate. */
  public final double far;

  /** This variant's true accept rate. */
  public final double tar;

  /** The reference variant's. */
  public final double reference;

  /** Lower end of the 95 % interval of tar / reference. */
  public final double keptLow;

  /** Upper end of it. */
  public final double keptHigh;

  KeptTar(Fields fields) {
    fields.expect(new String[] {"far", "tar", "reference", "kept_low", "kept_high"});
    far = fields.share("far");
    tar = fields.share("tar");
    reference = fields.share("reference");
    keptLow = fields.number("kept_low", 0, Double.MAX_VALUE);
    keptHigh = fields.number("kept_high", 0, Double.MAX_VALUE);
    if (reference == 0) {
      throw fields.wrong("reference: expected a rate above 0, of which a share can be kept, got 0");
    }
  }

  static List<KeptTar> list(List<Fields> items) {
    List<KeptTar> result = new ArrayList<>();
    for (Fields item : items) {
      result.add(new KeptTar(item));
    }
    return Collections.unmodifiableList(result);
  }
}
