package org.pocketface.sdk;

import com.eclipsesource.json.Json;
import com.eclipsesource.json.JsonArray;
import com.eclipsesource.json.JsonObject;
import com.eclipsesource.json.JsonValue;
import java.io.File;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.List;
import org.junit.Assume;

/** The folder that tests/android/goldens.py writes: what the Python runtime makes of photographs. */
final class Goldens {
  final File folder;

  private Goldens(File folder) {
    this.folder = folder;
  }

  /** The folder that -Dpocketface.goldens names; without it, a test that asks for it is skipped. */
  static Goldens open() {
    String named = System.getProperty("pocketface.goldens", "");
    Assume.assumeFalse("left out: -Dpocketface.goldens names no folder of tests/android/goldens.py", named.isEmpty());
    return new Goldens(new File(named));
  }

  File file(String name) {
    return new File(folder, name);
  }

  /** The bundles, each with its photographs and variants. */
  List<JsonObject> bundles() throws IOException {
    String text = new String(Files.readAllBytes(file("goldens.json").toPath()), StandardCharsets.UTF_8);
    return objects(Json.parse(text).asObject().get("bundles"));
  }

  Bundle bundle(JsonObject bundle) {
    return Bundle.open(file(bundle.get("file").asString()));
  }

  Pixels picture(String name) throws IOException {
    return Png.read(ByteBuffer.wrap(Files.readAllBytes(file(name).toPath())), name);
  }

  /** The crops of a bundle's faces, in order. */
  List<Pixels> crops(JsonObject bundle) throws IOException {
    List<Pixels> crops = new ArrayList<>();
    for (JsonObject photograph : objects(bundle.get("photographs"))) {
      for (JsonObject face : objects(photograph.get("faces"))) {
        crops.add(picture(face.get("crop").asString()));
      }
    }
    return crops;
  }

  /** float32 rows of a file. */
  float[][] rows(String name, int rows) throws IOException {
    ByteBuffer data = ByteBuffer.wrap(Files.readAllBytes(file(name).toPath())).order(ByteOrder.LITTLE_ENDIAN);
    float[][] values = new float[rows][data.remaining() / 4 / rows];
    for (float[] row : values) {
      data.asFloatBuffer().get(row);
      data.position(data.position() + 4 * row.length);
    }
    return values;
  }

  static List<JsonObject> objects(JsonValue list) {
    List<JsonObject> result = new ArrayList<>();
    for (JsonValue value : list.asArray()) {
      result.add(value.asObject());
    }
    return result;
  }

  /** A list of points (x, y). */
  static double[][] points(JsonValue list) {
    JsonArray array = list.asArray();
    double[][] points = new double[array.size()][];
    for (int point = 0; point < points.length; point++) {
      points[point] = new double[] {array.get(point).asArray().get(0).asDouble(), array.get(point).asArray().get(1).asDouble()};
    }
    return points;
  }
}
