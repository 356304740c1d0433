package org.pocketface.sdk.manifest;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.jetbrains.annotations.NotNull;

/** A drawn photograph and its faces. */
public final class GoldenImage {
  /** Path of the PNG. */
  @NotNull public final String image;

  /** Largest first. */
  @NotNull public final List<GoldenFace> faces;

  GoldenImage(Fields fields) {
    fields.expect(new String[] {"image", "faces"});
    image = fields.path("image");
    faces = GoldenFace.list(fields.items("faces", 0));
  }

  static List<GoldenImage> list(List<Fields> items) {
    List<GoldenImage> result = new ArrayList<>();
    for (Fields item : items) {
      result.add(new GoldenImage(item));
    }
    return Collections.unmodifiableList(result);
  }
}
