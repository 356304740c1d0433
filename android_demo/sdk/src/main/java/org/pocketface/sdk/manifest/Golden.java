package org.pocketface.sdk.manifest;

import java.util.List;
import org.jetbrains.annotations.NotNull;

/** What a right runtime gives. */
public final class Golden {
  /** Photographs and their faces. */
  @NotNull public final List<GoldenImage> images;

  /** Detected points may differ by so many pixels. */
  public final double pixelTolerance;

  /** Crops may differ by so many grey levels. */
  public final int cropTolerance;

  Golden(Fields fields) {
    fields.expect(new String[] {"images", "pixel_tolerance", "crop_tolerance"});
    images = GoldenImage.list(fields.items("images", 1));
    pixelTolerance = fields.number("pixel_tolerance", 0, Double.MAX_VALUE);
    cropTolerance = (int) fields.integer("crop_tolerance", 0, 255);
    boolean faces = false;
    for (GoldenImage image : images) {
      faces |= !image.faces.isEmpty();
    }
    if (!faces) {
      throw fields.wrong("images: expected a face at least, got none");
    }
  }
}
