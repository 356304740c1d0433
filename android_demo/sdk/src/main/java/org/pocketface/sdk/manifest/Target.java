package org.pocketface.sdk.manifest;

import java.util.Map;
import org.jetbrains.annotations.NotNull;

/** Where the bundle is to run. */
public final class Target {
  /** Name of the target. */
  @NotNull public final String name;

  /** The least version of each thing that it needs there, by name. */
  @NotNull public final Map<String, String> minimum;

  Target(Fields fields) {
    fields.expect(new String[] {"name", "minimum"});
    name = fields.name("name");
    minimum = fields.texts("minimum");
  }
}
