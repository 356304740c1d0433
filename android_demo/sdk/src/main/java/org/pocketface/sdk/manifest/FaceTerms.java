package org.pocketface.sdk.manifest;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.jetbrains.annotations.NotNull;

/** A variant against the fp32 one on the same faces: what compression cost in terms of faces. */
public final class FaceTerms {
  /** Name of the protocol. */
  @NotNull public final String protocol;

  /** Fingerprint of the data. */
  @NotNull public final String dataSha256;

  /** Images. */
  public final long images;

  /** People. */
  public final long identities;

  /** True accept rates by false accept rate. */
  @NotNull public final List<KeptTar> kept;

  /** Rank-1 identification rate. */
  public final double rank1;

  /** The reference's. */
  public final double referenceRank1;

  /** Equal error rate. */
  public final double equalErrorRate;

  /** The reference's. */
  public final double referenceEqualErrorRate;

  /** The false accept rate that the drift is stated at. */
  public final double driftFar;

  /** This variant's similarity threshold there, less the reference's. */
  public final double thresholdDrift;

  /** Least cosine of an image's two embeddings. */
  public final double minCosine;

  /** First percentile of them. */
  public final double p1Cosine;

  /** Median of them. */
  public final double p50Cosine;

  FaceTerms(Fields fields) {
    fields.expect(
        new String[] {
          "protocol", "data_sha256", "images", "identities", "kept", "rank1", "reference_rank1", "equal_error_rate",
          "reference_equal_error_rate", "drift_far", "threshold_drift", "min_cosine", "p1_cosine", "p50_cosine"
        });
    protocol = fields.text("protocol");
    dataSha256 = fields.sha256("data_sha256");
    images = fields.count("images");
    identities = fields.count("identities");
    kept = KeptTar.list(fields.items("kept", 0));
    rank1 = fields.share("rank1");
    referenceRank1 = fields.share("reference_rank1");
    equalErrorRate = fields.share("equal_error_rate");
    referenceEqualErrorRate = fields.share("reference_equal_error_rate");
    driftFar = fields.share("drift_far");
    thresholdDrift = fields.number("threshold_drift", -2, 2);
    minCosine = fields.cosine("min_cosine");
    p1Cosine = fields.cosine("p1_cosine");
    p50Cosine = fields.cosine("p50_cosine");
  }

  static List<FaceTerms> list(List<Fields> items) {
    List<FaceTerms> result = new ArrayList<>();
    for (Fields item : items) {
      result.add(new FaceTerms(item));
    }
    return Collections.unmodifiableList(result);
  }
}
