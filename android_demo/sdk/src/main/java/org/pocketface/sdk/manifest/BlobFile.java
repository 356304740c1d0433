package org.pocketface.sdk.manifest;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.jetbrains.annotations.NotNull;

/** A blob of the bundle. */
public final class BlobFile {
  /** Its name in the container. */
  @NotNull public final String path;

  /** What it is for. */
  @NotNull public final String role;

  /** Bytes. */
  public final long size;

  /** Of its bytes. */
  @NotNull public final String sha256;

  BlobFile(Fields fields) {
    fields.expect(new String[] {"path", "role", "size", "sha256"});
    path = fields.path("path");
    role =
        fields.oneOf(
            "role", "model", "packed-model", "detector", "golden-image", "golden-crop", "golden-embeddings", "model-card", "licence");
    size = fields.count("size");
    sha256 = fields.sha256("sha256");
  }

  static List<BlobFile> list(List<Fields> items) {
    List<BlobFile> result = new ArrayList<>();
    for (Fields item : items) {
      result.add(new BlobFile(item));
    }
    return Collections.unmodifiableList(result);
  }
}
