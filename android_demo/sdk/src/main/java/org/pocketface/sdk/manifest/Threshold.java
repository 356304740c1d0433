package org.pocketface.sdk.manifest;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.jetbrains.annotations.NotNull;

/** A similarity from which two faces count as one person's, and the false match rate that was measured there. */
public final class Threshold {
  /** The false match rate: the share of pairs of different people that match. */
  public final double fmr;

  /** Faces match where their similarity is at least this. */
  public final double similarity;

  /** Lower end of the 95 % interval of the measured rate. */
  public final double fmrLow;

  /** Upper end of it. */
  public final double fmrHigh;

  /** Pairs of different people that it was measured on. */
  public final long comparisons;

  /** How many of them share no person. */
  public final long independent;

  /** Fingerprint of the data. */
  @NotNull public final String dataSha256;

  Threshold(Fields fields) {
    fields.expect(new String[] {"fmr", "similarity", "fmr_low", "fmr_high", "comparisons", "independent", "data_sha256"});
    fmr = fields.share("fmr");
    similarity = fields.cosine("similarity");
    fmrLow = fields.share("fmr_low");
    fmrHigh = fields.share("fmr_high");
    comparisons = fields.count("comparisons");
    independent = fields.count("independent");
    dataSha256 = fields.sha256("data_sha256");
  }

  static List<Threshold> list(List<Fields> items) {
    List<Threshold> result = new ArrayList<>();
    for (Fields item : items) {
      result.add(new Threshold(item));
    }
    return Collections.unmodifiableList(result);
  }
}
