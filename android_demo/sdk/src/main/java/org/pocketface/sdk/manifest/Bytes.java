package org.pocketface.sdk.manifest;

/** Sizes of a variant, in bytes. */
public final class Bytes {
  /** The .tflite that runs. */
  public final long raw;

  /** The same through gzip, level 9. */
  public final long gzip;

  /** What the bundle stores. */
  public final long stored;

  Bytes(Fields fields) {
    fields.expect(new String[] {"raw", "gzip", "stored"});
    raw = fields.count("raw");
    gzip = fields.count("gzip");
    stored = fields.count("stored");
  }
}
