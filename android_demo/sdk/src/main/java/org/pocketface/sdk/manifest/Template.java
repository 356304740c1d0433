package org.pocketface.sdk.manifest;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.jetbrains.annotations.NotNull;

/**
 * The points that alignment maps a face's key points to, by the similarity transform of least squares (Umeyama, IEEE PAMI 13(4),
 * 1991, equations 40-42).
 */
public final class Template {
  /** Distinct among the templates of a bundle. */
  @NotNull public final String name;

  /** Two or more. */
  @NotNull public final List<TemplatePoint> points;

  Template(Fields fields) {
    fields.expect(new String[] {"name", "points"});
    name = fields.name("name");
    points = TemplatePoint.list(fields.items("points", 2));
  }

  static List<Template> list(List<Fields> items) {
    List<Template> result = new ArrayList<>();
    for (Fields item : items) {
      result.add(new Template(item));
    }
    return Collections.unmodifiableList(result);
  }
}
