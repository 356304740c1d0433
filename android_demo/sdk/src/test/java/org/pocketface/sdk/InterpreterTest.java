package org.pocketface.sdk;

import static org.junit.Assert.assertArrayEquals;
import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertTrue;
import static org.junit.Assert.fail;

import com.eclipsesource.json.Json;
import com.eclipsesource.json.JsonArray;
import com.eclipsesource.json.JsonObject;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.Test;
import org.pocketface.sdk.manifest.DetectorSettings;
import org.pocketface.sdk.manifest.Manifest;
import org.pocketface.sdk.manifest.Threshold;

/** A recognizer is shared between threads, closed while others use it, and refuses what is no model. */
public class InterpreterTest {
  private static final int THREADS = 4;
  private static final int ROUNDS = 25;

  private final Goldens goldens = Goldens.open();

  @Test
  public void manyThreadsGetTheAnswersThatOneGets() throws IOException, InterruptedException, ExecutionException {
    JsonObject golden = goldens.bundles().get(0);
    final List<Pixels> crops = goldens.crops(golden);
    ExecutorService pool = Executors.newFixedThreadPool(THREADS);
    try (Recognizer recognizer = new Recognizer(goldens.bundle(golden), null, 1)) {
      final Embedder embedder = recognizer.embedder();
      final float[][] alone = embedder.embedAll(crops);
      List<Callable<Boolean>> tasks = new ArrayList<>();
      for (int thread = 0; thread < THREADS; thread++) {
        final int first = thread;
        tasks.add(
            new Callable<Boolean>() {
              @Override
              public Boolean call() {
                for (int round = 0; round < ROUNDS; round++) {
                  int face = (first + round) % crops.size(); // each thread another face
                  assertArrayEquals(alone[face], embedder.embed(crops.get(face)), 0);
                }
                return true;
              }
            });
      }
      for (Future<Boolean> done : pool.invokeAll(tasks)) {
        assertTrue(done.get());
      }
    } finally {
      pool.shutdownNow();
    }
  }

  @Test
  public void afterClosingARunIsRefused() throws IOException {
    JsonObject golden = goldens.bundles().get(0);
    Recognizer recognizer = new Recognizer(goldens.bundle(golden), null, 1);
    recognizer.close();
    recognizer.close(); // once more does nothing
    try {
      recognizer.embedder().embed(goldens.crops(golden).get(0));
      fail("it is closed");
    } catch (IllegalStateException error) {
      assertTrue(error.getMessage(), error.getMessage().contains("closed"));
    }
  }

  @Test
  public void whatIsNoModelIsRefusedByTheRuntime() {
    byte[] zeros = new byte[4096];
    try (Interpreter made = new Interpreter(ByteBuffer.wrap(zeros), "zeros", 1)) {
      fail("zeros are no model: " + made.outputs());
    } catch (ModelRunException error) {
      assertEquals("runtime.model", error.code());
      assertTrue(error.getMessage(), error.getMessage().startsWith("zeros: TensorFlow Lite 2."));
    }
  }

  @Test
  public void anchorsAreCountedBeforeTheyAreMade() throws IOException {
    Bundle bundle = goldens.bundle(goldens.bundles().get(0));
    JsonObject manifest = Json.parse(bundle.manifestText()).asObject();
    JsonArray strides = new JsonArray();
    JsonArray perCell = new JsonArray();
    for (int map = 0; map < 64; map++) { // 256 x 256 x 4,096 anchors each: more than memory holds, and than an int counts
      strides.add(1);
      perCell.add(4096);
    }
    manifest.get("detector").asObject().get("anchors").asObject().set("strides", strides).set("per_cell", perCell);
    DetectorSettings settings =
        Manifest.read(ByteBuffer.wrap(manifest.toString().getBytes(StandardCharsets.UTF_8)), "test").detector;
    try (Detector detector = new Detector(settings, bundle.blob(settings.file), 1)) {
      fail("no model has so many outputs: " + detector.settings().name);
    } catch (ModelRunException error) {
      assertTrue(error.getMessage(), error.getMessage().contains("[1, 17179869184, 16], got float32 [1, 896, 16]"));
    }
  }

  @Test
  public void anInputOfAnotherSizeIsRefused() throws IOException {
    JsonObject golden = goldens.bundles().get(0);
    Bundle bundle = goldens.bundle(golden);
    try (Interpreter interpreter = new Interpreter(bundle.model(null), "model", 1)) {
      assertEquals(4, interpreter.input().shape.size());
      interpreter.run(ByteBuffer.allocate(7));
      fail("7 bytes are no picture");
    } catch (ModelRunException error) {
      assertTrue(error.getMessage(), error.getMessage().contains("got 7"));
    }
    try (Recognizer recognizer = new Recognizer(bundle, null, 1)) {
      recognizer.embedder().embed(Pixels.black(113, 112));
      fail("113 rows are no crop");
    } catch (ImageException.Array error) {
      assertTrue(error.getMessage(), error.getMessage().contains("113"));
    }
  }

  @Test
  public void facesAreVerifiedAtAStatedRateOrAboveAThreshold() throws IOException {
    JsonObject golden = goldens.bundles().get(0);
    Bundle bundle = goldens.bundle(golden);
    try (Recognizer recognizer = new Recognizer(bundle, null, 1)) {
      List<Face> faces = recognizer.faces(goldens.picture("two.png"));
      assertEquals(2, faces.size());
      for (Threshold stated : recognizer.variant().thresholds) {
        Verification same = recognizer.verify(faces.get(0), faces.get(0), stated.fmr);
        assertTrue(same.same());
        assertEquals(1, same.similarity, 1e-6); // a unit vector in float32 with itself
        assertEquals(stated.similarity, same.threshold, 0);
        assertEquals(Double.valueOf(stated.fmr), same.fmr);
      }
      Verification other = recognizer.verifyAbove(faces.get(0), faces.get(1), -1);
      assertTrue(other.same() && other.similarity < 1 && other.fmr == null);
      try {
        recognizer.verify(faces.get(0), faces.get(1), 0.123);
        fail("no threshold was measured at 0.123");
      } catch (ThresholdException error) {
        assertEquals("threshold", error.code());
      }
      try {
        recognizer.faces(goldens.picture("noise.png"));
        fail("noise has no face");
      } catch (FaceException.None error) {
        assertEquals(Collections.emptyList(), recognizer.finder().faces(goldens.picture("noise.png")));
      }
    }
  }
}
