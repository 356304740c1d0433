package org.pocketface.sdk.manifest;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.jetbrains.annotations.NotNull;

/** The first {@link #utilisation} of the channels of every layer of a net, as a variant has them. */
public final class Level {
  /** Its name, such as 50. */
  @NotNull public final String name;

  /** The variant that it is. */
  @NotNull public final String variant;

  /** Share of the channels, 1 for the whole net. */
  public final double utilisation;

  Level(Fields fields) {
    fields.expect(new String[] {"name", "variant", "utilisation"});
    name = fields.name("name");
    variant = fields.name("variant");
    utilisation = fields.share("utilisation");
  }

  static List<Level> list(List<Fields> items) {
    List<Level> result = new ArrayList<>();
    for (Fields item : items) {
      result.add(new Level(item));
    }
    return Collections.unmodifiableList(result);
  }
}
