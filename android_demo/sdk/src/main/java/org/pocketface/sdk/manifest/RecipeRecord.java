package org.pocketface.sdk.manifest;

import java.util.Map;
import org.jetbrains.annotations.NotNull;

/** How the model came to be. */
public final class RecipeRecord {
  /** Name of the recipe. */
  @NotNull public final String name;

  /** Seed of everything random. */
  public final long seed;

  /** Of the weights that it started from. */
  @NotNull public final String weightsSha256;

  /** Exact versions, by package. */
  @NotNull public final Map<String, String> packages;

  /** The recipe's own description, as JSON values: maps, lists, text, numbers, booleans, null. */
  @NotNull public final Map<String, Object> description;

  RecipeRecord(Fields fields) {
    fields.expect(new String[] {"name", "seed", "weights_sha256", "packages", "description"});
    name = fields.text("name");
    seed = fields.count("seed");
    weightsSha256 = fields.sha256("weights_sha256");
    packages = fields.texts("packages");
    description = fields.values("description");
  }
}
