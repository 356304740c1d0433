package org.pocketface.sdk.manifest;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.jetbrains.annotations.NotNull;

/** Where a key point lies in an aligned crop. */
public final class TemplatePoint {
  /** Name of the key point, as the detector states it. */
  @NotNull public final String name;

  /** Pixels; the centre of the upper left pixel is (0, 0). */
  public final double x;

  /** Pixels; the centre of the upper left pixel is (0, 0). */
  public final double y;

  TemplatePoint(Fields fields) {
    fields.expect(new String[] {"name", "x", "y"});
    name = fields.name("name");
    x = fields.number("x");
    y = fields.number("y");
  }

  static List<TemplatePoint> list(List<Fields> items) {
    List<TemplatePoint> result = new ArrayList<>();
    for (Fields item : items) {
      result.add(new TemplatePoint(item));
    }
    return Collections.unmodifiableList(result);
  }
}
