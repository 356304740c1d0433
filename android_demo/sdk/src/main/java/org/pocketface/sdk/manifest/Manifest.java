package org.pocketface.sdk.manifest;

import com.eclipsesource.json.JsonValue;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jetbrains.annotations.NotNull;
import org.jetbrains.annotations.Nullable;
import org.pocketface.sdk.BundleException;

/**
 * What a bundle's manifest holds (docs/bundle-format.md, section 2). Values of this package never change after they were read; lists
 * and maps cannot be changed.
 */
public final class Manifest {
  /** Another major version is refused. */
  public static final int SCHEMA_MAJOR = 1;

  /** A later minor version may only add fields that a reader need not know, so they are skipped there. */
  public static final int SCHEMA_MINOR = 1;

  private static final Pattern VERSION = Pattern.compile("([1-9][0-9]{0,3}|0)[.]([1-9][0-9]{0,3}|0)");

  /** Version of the schema, {@code MAJOR.MINOR}. */
  @NotNull public final String schema;

  /** Name of the model. */
  @NotNull public final String name;

  /** Where the bundle is to run. */
  @NotNull public final Target target;

  /** From a photograph to the input tensor. */
  @NotNull public final Preprocessing preprocessing;

  /** What an embedding is. */
  @NotNull public final Embedding embedding;

  /** The variant to use where none is asked for. */
  @NotNull public final String defaultVariant;

  /** One or more, of distinct names. */
  @NotNull public final List<Variant> variants;

  /** The detector, or null where the bundle has none. */
  @Nullable public final DetectorSettings detector;

  /** What a right runtime gives. */
  @NotNull public final Golden golden;

  /** How the model came to be. */
  @NotNull public final RecipeRecord recipe;

  /** Licences of what is in the bundle. */
  @NotNull public final List<Licence> licences;

  /** Data that had a part in the model. */
  @NotNull public final List<DataSource> data;

  /** Every blob, in the order of their paths. */
  @NotNull public final List<BlobFile> files;

  /** Levels of nets, of each net a set; empty where no variant is a level. */
  @NotNull public final List<LevelSet> levels;

  private Manifest(Fields fields) {
    fields.expect(
        new String[] {
          "schema", "name", "target", "preprocessing", "embedding", "default_variant", "variants", "detector", "golden", "recipe",
          "licences", "data", "files"
        },
        "levels");
    schema = fields.matching("schema", "1[.](0|[1-9][0-9]{0,3})");
    name = fields.text("name");
    target = new Target(fields.object("target"));
    preprocessing = new Preprocessing(fields.object("preprocessing"));
    embedding = new Embedding(fields.object("embedding"));
    defaultVariant = fields.name("default_variant");
    variants = Variant.list(fields.items("variants", 1));
    detector = fields.isNull("detector") ? null : new DetectorSettings(fields.object("detector"));
    golden = new Golden(fields.object("golden"));
    recipe = new RecipeRecord(fields.object("recipe"));
    licences = Licence.list(fields.items("licences", 1));
    data = DataSource.list(fields.items("data", 0));
    files = BlobFile.list(fields.items("files", 1));
    levels = LevelSet.list(fields.items("levels", 0));
    checkNames(fields);
    checkRoles(fields);
    checkTemplates(fields);
    checkLevels(fields);
  }

  /** The levels that a variant is one of; null where it is none. */
  @Nullable
  public LevelSet levelsOf(@NotNull String variant) {
    for (LevelSet found : levels) {
      if (found.levelOf(variant) != null) {
        return found;
      }
    }
    return null;
  }

  /**
   * A manifest from its JSON; {@code where} names the bundle in messages.
   *
   * @throws BundleException.Version where the schema is of another major version
   * @throws BundleException.Manifest where it is no JSON, breaks the schema, or does not agree with itself
   */
  @NotNull
  public static Manifest read(@NotNull ByteBuffer text, @NotNull String where) {
    try {
      JsonValue value = Json.parse(text);
      JsonValue stated = value.isObject() ? value.asObject().get("schema") : null;
      String version = stated != null && stated.isString() ? stated.asString() : "";
      Matcher match = VERSION.matcher(version);
      if (!match.matches()) {
        throw new ManifestException("manifest.schema: expected a version such as 1.0, got " + stated);
      }
      if (Integer.parseInt(match.group(1)) != SCHEMA_MAJOR) {
        throw new BundleException.Version(
            where + ": expected manifest schema " + SCHEMA_MAJOR + ".x, got " + version + "; use a release of the SDK that reads it");
      }
      return new Manifest(new Fields(value, "manifest", Integer.parseInt(match.group(2)) > SCHEMA_MINOR));
    } catch (ManifestException error) {
      throw new BundleException.Manifest(where + ": " + error.getMessage() + "; build the bundle again");
    }
  }

  private void checkNames(Fields fields) {
    String last = "";
    for (BlobFile file : files) {
      if (file.path.compareTo(last) <= 0 || file.path.equals("manifest.json")) {
        throw fields.wrong("files: expected each blob once, in the order of their paths, without manifest.json");
      }
      last = file.path;
    }
    Set<String> names = new HashSet<>();
    for (Variant variant : variants) {
      names.add(variant.name);
    }
    if (names.size() != variants.size() || !names.contains(defaultVariant)) {
      throw fields.wrong("variants: expected distinct names, " + defaultVariant + " (default_variant) among them, got " + names);
    }
  }

  /** Every path that the manifest uses is a blob of the right role, and sizes agree. */
  private void checkRoles(Fields fields) {
    Map<String, BlobFile> byPath = new HashMap<>();
    for (BlobFile file : files) {
      byPath.put(file.path, file);
    }
    for (Variant variant : variants) {
      checkRole(fields, byPath, variant.file, variant.packed ? "packed-model" : "model");
      checkRole(fields, byPath, variant.golden, "golden-embeddings");
    }
    long faces = 0;
    for (GoldenImage image : golden.images) {
      checkRole(fields, byPath, image.image, "golden-image");
      for (GoldenFace face : image.faces) {
        checkRole(fields, byPath, face.crop, "golden-crop");
        if (detector != null && face.keyPoints.size() != detector.keyPoints.size()) {
          throw fields.wrong(
              "golden: expected " + detector.keyPoints.size() + " key points of " + face.crop + ", as the detector has, got "
                  + face.keyPoints.size());
        }
        faces++;
      }
    }
    if (detector != null) {
      checkRole(fields, byPath, detector.file, "detector");
    }
    for (Variant variant : variants) {
      checkSizes(fields, variant, byPath, 4 * faces * embedding.size);
      checkShapes(fields, variant);
    }
  }

  private static void checkRole(Fields fields, Map<String, BlobFile> files, String path, String role) {
    BlobFile file = files.get(path);
    if (file == null || !file.role.equals(role)) {
      throw fields.wrong("files: expected " + path + " with role " + role + ", got " + (file == null ? "no such file" : file.role));
    }
  }

  private static void checkSizes(Fields fields, Variant variant, Map<String, BlobFile> files, long goldenBytes) {
    BlobFile stored = files.get(variant.file);
    String where = "variant " + variant.name;
    if (variant.bytes.stored != stored.size || variant.bytes.raw != variant.size) {
      throw fields.wrong(
          where + ": expected bytes stored " + stored.size + " and raw " + variant.size + ", got " + variant.bytes.stored + " and "
              + variant.bytes.raw);
    }
    if (!variant.packed && (variant.size != stored.size || !variant.sha256.equals(stored.sha256))) {
      throw fields.wrong(where + ": expected the size and sha256 of " + variant.file + ", since it is not packed");
    }
    long size = files.get(variant.golden).size;
    if (size != goldenBytes) {
      throw fields.wrong(where + ": expected " + goldenBytes + " bytes of golden embeddings, got " + size);
    }
  }

  private void checkShapes(Fields fields, Variant variant) {
    InputContract input = preprocessing.input;
    List<Integer> inputShape = Arrays.asList(1, input.height, input.width, 3);
    List<Integer> outputShape = Arrays.asList(1, embedding.size);
    if (!variant.input.shape.equals(inputShape) || !variant.output.shape.equals(outputShape)) {
      throw fields.wrong(
          "variant " + variant.name + ": expected input " + inputShape + " and output " + outputShape + ", got " + variant.input.shape
              + " and " + variant.output.shape);
    }
  }

  /** Each level is a variant of its own, stored packed but for the whole net's. */
  private void checkLevels(Fields fields) {
    Map<String, Boolean> packed = new HashMap<>();
    for (Variant variant : variants) {
      packed.put(variant.name, variant.packed);
    }
    Set<String> seen = new HashSet<>();
    for (LevelSet found : levels) {
      for (Level level : found.levels) {
        if (!packed.containsKey(level.variant) || !seen.add(level.variant)) {
          throw fields.wrong("levels: expected variants of the bundle, each in one place, got " + level.variant);
        }
        if (!packed.get(level.variant) && !level.variant.equals(found.whole)) {
          throw fields.wrong("levels: expected " + level.variant + " to be packed, since it is rebuilt from another variant");
        }
      }
    }
  }

  private void checkTemplates(Fields fields) {
    Map<String, Template> templates = new HashMap<>();
    for (Template template : preprocessing.templates) {
      templates.put(template.name, template);
    }
    if (templates.size() != preprocessing.templates.size()) {
      throw fields.wrong("preprocessing.templates: expected distinct names");
    }
    if (detector == null) {
      return;
    }
    Template template = templates.get(detector.template);
    if (template == null) {
      throw fields.wrong("detector.template: expected one of " + templates.keySet() + ", got " + detector.template);
    }
    for (TemplatePoint point : template.points) {
      if (!detector.keyPoints.contains(point.name)) {
        throw fields.wrong("detector.key_points: expected the points of template " + template.name + ", got none named " + point.name);
      }
    }
  }
}
