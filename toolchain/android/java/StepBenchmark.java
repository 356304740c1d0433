import java.io.BufferedReader;
import java.io.File;
import java.io.InputStreamReader;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.pocketface.sdk.Bundle;
import org.pocketface.sdk.Embedder;
import org.pocketface.sdk.Finder;
import org.pocketface.sdk.Interpreter;
import org.pocketface.sdk.Pixels;
import org.pocketface.sdk.Png;
import org.pocketface.sdk.YuvFrame;
import org.pocketface.sdk.gallery.Matcher;
import org.pocketface.sdk.gallery.TemplateModel;
import org.pocketface.sdk.gallery.Templates;
import org.pocketface.sdk.manifest.GoldenImage;
import org.pocketface.sdk.manifest.Variant;

/**
 * StepBenchmark BUNDLE VARIANT THREADS TEMPLATES: times the steps of recognition by the SDK. It prints the TFLite runtime and the steps
 * that it has; then, for each line "STEP RUNS" that it reads, the milliseconds of each run. toolchain/android/step_worker.py is the same
 * for runtime_py.
 */
public class StepBenchmark {
  private interface Step {
    void run();
  }

  private static final int HEIGHT = 480;
  private static final int WIDTH = 640;

  public static void main(String[] arguments) throws Exception {
    Bundle bundle = Bundle.open(new File(arguments[0]));
    Variant variant = bundle.variant(arguments[1]);
    int threads = Integer.parseInt(arguments[2]);
    GoldenImage image = bundle.manifest().golden.images.get(0);
    Pixels photograph = Png.read(bundle.blob(image.image), image.image);
    Pixels crop = Png.read(bundle.blob(image.faces.get(0).crop), image.faces.get(0).crop);
    try (Embedder embedder = new Embedder(variant, bundle.manifest().preprocessing.input, bundle.model(variant.name), threads);
        Finder finder = new Finder(bundle, threads);
        Templates templates = templates(variant, bundle.manifest().embedding.size, Integer.parseInt(arguments[3]))) {
      double[][] points = finder.detector().find(photograph).get(0).keyPoints();
      Matcher matcher = new Matcher(templates);
      float[] probe = templates.template(0);
      YuvFrame frame = frame();
      Pixels upright = new Pixels(WIDTH, HEIGHT, new byte[3 * HEIGHT * WIDTH]);
      List<String> names = Arrays.asList("yuv", "detect", "align", "embed", "match");
      List<Step> steps =
          Arrays.asList(
              () -> frame.toUpright(90, upright),
              () -> finder.detector().find(photograph),
              () -> finder.crop(photograph, points),
              () -> embedder.embed(crop),
              () -> matcher.top(probe, 1));
      System.out.println(Interpreter.runtime());
      System.out.println(String.join(" ", names));
      BufferedReader orders = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
      for (String order = orders.readLine(); order != null; order = orders.readLine()) {
        String[] words = order.split(" ");
        System.out.println(times(steps.get(names.indexOf(words[0])), Integer.parseInt(words[1])));
      }
    }
  }

  private static String times(Step step, int runs) {
    StringBuilder times = new StringBuilder();
    for (int run = 0; run < runs; run++) {
      long start = System.nanoTime();
      step.run();
      times.append(run == 0 ? "" : " ").append((System.nanoTime() - start) / 1e6);
    }
    return times.toString();
  }

  /** A camera's frame as phones lay it out: luma, then U and V taking turns, in memory outside the heap. */
  private static YuvFrame frame() {
    byte[] noise = new byte[HEIGHT * WIDTH];
    new Random(1).nextBytes(noise);
    ByteBuffer luma = ByteBuffer.allocateDirect(HEIGHT * WIDTH);
    luma.put(noise).flip();
    ByteBuffer u = ByteBuffer.allocateDirect(HEIGHT / 2 * WIDTH);
    u.put(noise, 0, HEIGHT / 2 * WIDTH).flip();
    ByteBuffer v = u.duplicate();
    v.position(1);
    return new YuvFrame(
        HEIGHT, WIDTH, new YuvFrame.Plane(luma, WIDTH, 1), new YuvFrame.Plane(u, WIDTH, 2), new YuvFrame.Plane(v, WIDTH, 2));
  }

  /** One template each of so many people, of random directions: what they are makes no difference to the time. */
  private static Templates templates(Variant variant, int size, int count) {
    Random random = new Random(2);
    List<String> owners = new ArrayList<>();
    List<float[]> vectors = new ArrayList<>();
    for (int row = 0; row < count; row++) {
      float[] vector = new float[size];
      double squares = 0;
      for (int at = 0; at < size; at++) {
        vector[at] = (float) random.nextGaussian();
        squares += (double) vector[at] * vector[at];
      }
      for (int at = 0; at < size; at++) {
        vector[at] /= (float) Math.sqrt(squares);
      }
      owners.add("id " + row);
      vectors.add(vector);
    }
    return Templates.of(TemplateModel.of(variant), owners, vectors);
  }
}
