package org.pocketface.sdk;

import static org.junit.Assert.assertArrayEquals;
import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertTrue;

import com.eclipsesource.json.JsonArray;
import com.eclipsesource.json.JsonObject;
import java.io.IOException;
import java.util.List;
import org.junit.Test;

/** From photographs to embeddings: what the Python runtime computes, this SDK computes. */
public class GoldenTest {
  /**
   * Pixels of the photograph. The two runtimes' float32 convolutions differ by about 1e-5 of the 256 pixels that the detector sees; in the
   * largest photograph one of those is 4.3 pixels: 0.011. The arithmetic after the model is in doubles on both sides.
   */
  private static final double PIXELS = 0.011;

  /**
   * Of components of embeddings of length 1: float32 sums of some hundred products in another order, rounded to 2^-24 of values up to 1,
   * through some thirty layers that keep length: about 30 * 2^-24 * √(hundreds) = 3e-5.
   */
  private static final double COMPONENTS = 3e-5;

  private final Goldens goldens = Goldens.open();

  @Test
  public void facesAreFoundWhereThePythonRuntimeFindsThem() throws IOException {
    double away = 0;
    int faces = 0;
    for (JsonObject golden : goldens.bundles()) {
      try (Finder finder = new Finder(goldens.bundle(golden), 1)) {
        for (JsonObject photograph : Goldens.objects(golden.get("photographs"))) {
          List<JsonObject> stated = Goldens.objects(photograph.get("faces"));
          List<Detection> found = finder.detector().find(goldens.picture(photograph.get("image").asString()));
          assertEquals(photograph.get("image").asString(), stated.size(), found.size());
          for (int number = 0; number < found.size(); number++) {
            away = Math.max(away, distance(stated.get(number), found.get(number)));
            assertEquals(stated.get(number).get("score").asDouble(), found.get(number).score, 1e-4);
            faces++;
          }
        }
      }
    }
    assertTrue(faces + " faces", faces >= 8);
    System.out.println("boxes and key points within " + away + " pixels");
    assertEquals(0, away, PIXELS);
  }

  private static double distance(JsonObject stated, Detection found) {
    JsonArray box = stated.get("box").asArray();
    double[] sides = {found.left, found.top, found.right, found.bottom};
    double away = 0;
    for (int side = 0; side < sides.length; side++) {
      away = Math.max(away, Math.abs(sides[side] - box.get(side).asDouble()));
    }
    double[][] points = Goldens.points(stated.get("key_points"));
    double[][] seen = found.keyPoints();
    assertEquals(points.length, seen.length);
    for (int point = 0; point < points.length; point++) {
      away = Math.max(away, Math.abs(points[point][0] - seen[point][0]));
      away = Math.max(away, Math.abs(points[point][1] - seen[point][1]));
    }
    return away;
  }

  @Test
  public void cropsOnTheSameKeyPointsAreTheSameBytes() throws IOException {
    for (JsonObject golden : goldens.bundles()) {
      try (Finder finder = new Finder(goldens.bundle(golden), 1)) {
        for (JsonObject photograph : Goldens.objects(golden.get("photographs"))) {
          Pixels picture = goldens.picture(photograph.get("image").asString());
          for (JsonObject face : Goldens.objects(photograph.get("faces"))) {
            String name = face.get("crop").asString();
            assertArrayEquals(name, goldens.picture(name).rgb(), finder.crop(picture, Goldens.points(face.get("key_points"))).rgb());
          }
        }
      }
    }
  }

  @Test
  public void modelsAreTheSameBytesPackedOrNot() throws IOException {
    int packed = 0;
    for (JsonObject golden : goldens.bundles()) {
      Bundle bundle = goldens.bundle(golden);
      for (JsonObject variant : Goldens.objects(golden.get("variants"))) {
        String name = variant.get("name").asString();
        assertEquals(name, variant.get("model_sha256").asString(), Digests.sha256(bundle.model(name)));
        packed += bundle.variant(name).packed ? 1 : 0;
      }
    }
    assertTrue(packed >= 1);
  }

  @Test
  public void tensorsAreTheSameBytesAndEmbeddingsTheSameNumbers() throws IOException {
    for (JsonObject golden : goldens.bundles()) {
      Bundle bundle = goldens.bundle(golden);
      List<Pixels> crops = goldens.crops(golden);
      for (JsonObject stated : Goldens.objects(golden.get("variants"))) {
        String name = stated.get("name").asString();
        float[][] embeddings = goldens.rows(stated.get("embeddings").asString(), crops.size());
        JsonArray tensors = stated.get("tensor_sha256").asArray();
        double away = 0;
        try (Recognizer recognizer = new Recognizer(bundle, name, 1)) {
          Embedder embedder = recognizer.embedder();
          for (int face = 0; face < crops.size(); face++) {
            assertEquals(tensors.get(face).asString(), Digests.sha256(embedder.tensor(crops.get(face))));
            away = Math.max(away, distance(embeddings[face], embedder.embed(crops.get(face))));
          }
        }
        System.out.println(golden.get("file").asString() + " " + name + " components within " + away);
        // Static int8 is integers from end to end: there is one right answer.
        assertEquals(name, 0, away, name.equals("int8") ? 0 : COMPONENTS);
      }
    }
  }

  private static double distance(float[] stated, float[] seen) {
    assertEquals(stated.length, seen.length);
    double away = 0;
    for (int index = 0; index < stated.length; index++) {
      away = Math.max(away, Math.abs((double) stated[index] - seen[index]));
    }
    return away;
  }

  @Test
  public void theSelfTestChecksAndFindsWhatThePythonRuntimesDoes() throws IOException {
    for (JsonObject golden : goldens.bundles()) {
      JsonArray stated = golden.get("checks").asArray();
      List<Check> checks = SelfTest.run(goldens.bundle(golden), 1);
      assertEquals(stated.size(), checks.size());
      for (int number = 0; number < checks.size(); number++) {
        Check check = checks.get(number);
        JsonArray expected = stated.get(number).asArray();
        assertEquals(expected.get(0).asString(), check.name);
        assertEquals(golden.get("file").asString() + ": " + check.name + ": " + check.detail, expected.get(1).asBoolean(), check.passed);
      }
    }
  }
}
