package org.pocketface.sdk;

import static org.junit.Assert.assertArrayEquals;
import static org.junit.Assert.assertEquals;
import static org.junit.Assert.fail;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import org.junit.Test;

/** Alignment, resampling, orientation and comparison, each against its definition. */
public class MathematicsTest {
  private static final double[][] POINTS = {{30, 40}, {70, 42}, {51, 65}, {33, 81}};

  @Test
  public void aSimilarityTransformIsFoundAndUndone() {
    double a = 1.3;
    double b = -0.4;
    double[][] moved = new double[POINTS.length][];
    for (int point = 0; point < POINTS.length; point++) {
      double x = POINTS[point][0];
      double y = POINTS[point][1];
      moved[point] = new double[] {a * x - b * y + 5, b * x + a * y - 7};
    }
    Affine found = Aligner.similarity(POINTS, moved);
    Affine back = Aligner.inverse(found);
    // Some ten roundings of numbers below 200.
    double tolerance = 10 * Math.ulp(200.0);
    assertArrayEquals(
        new double[] {a, -b, 5, b, a, -7}, new double[] {found.a, found.b, found.c, found.d, found.e, found.f}, tolerance);
    for (int point = 0; point < POINTS.length; point++) {
      double x = moved[point][0];
      double y = moved[point][1];
      assertEquals(POINTS[point][0], back.a * x + back.b * y + back.c, tolerance);
      assertEquals(POINTS[point][1], back.d * x + back.e * y + back.f, tolerance);
    }
  }

  @Test
  public void pointsThatCoincideOrLieTooFarOutAlignNothing() {
    double[][][] cases = {
      {{1, 1}, {1, 1}, {1, 1}, {1, 1}},
      {{1, 1}, {2, Double.NaN}, {3, 1}, {4, 1}},
      {{1, 1}, {Double.POSITIVE_INFINITY, 2}, {3, 1}, {4, 1}},
      {{1, 2}},
      scaled(1e8),
      scaled(1e20),
      scaled(1e300),
    };
    for (double[][] points : cases) {
      refused(points, POINTS);
    }
    for (double factor : new double[] {1e-150, 1e-12, 1e8, 1e20}) {
      refused(POINTS, scaled(factor));
    }
  }

  private static void refused(double[][] source, double[][] target) {
    try {
      Aligner.similarity(source, target);
      fail("aligned");
    } catch (FaceException.Alignment error) {
      assertEquals("face.alignment", error.code());
    }
  }

  private static double[][] scaled(double factor) {
    double[][] result = new double[POINTS.length][];
    for (int point = 0; point < result.length; point++) {
      result[point] = new double[] {factor * POINTS[point][0], factor * POINTS[point][1]};
    }
    return result;
  }

  @Test
  public void aReducedPixelIsTheMeanOfItsBlockRoundedHalfUp() {
    Pixels picture = noise(7, 5);
    int step = 3;
    Pixels reduced = Resample.warp(picture, new Affine(step, 0, 1, 0, step, 1), 3, 2); // centres of the blocks
    for (int row = 0; row < 3; row++) {
      for (int column = 0; column < 2; column++) {
        double sum = 0;
        int count = 0;
        for (int y = 3 * row; y < Math.min(3 * row + 3, 7); y++) {
          for (int x = 3 * column; x < Math.min(3 * column + 3, 5); x++, count++) {
            sum += picture.rgb()[3 * (5 * y + x) + 1] & 0xFF;
          }
        }
        assertEquals(Math.floor(sum / count + 0.5), reduced.rgb()[3 * (2 * row + column) + 1] & 0xFF, 0);
      }
    }
  }

  @Test
  public void withoutMovementAPictureStaysAndOutsideItIsBlack() {
    Pixels picture = noise(6, 4);
    assertArrayEquals(picture.rgb(), Resample.warp(picture, new Affine(1, 0, 0, 0, 1, 0), 6, 4).rgb());
    assertArrayEquals(new byte[3 * 24], Resample.warp(picture, new Affine(1, 0, 50, 0, 1, 0), 6, 4).rgb());
    // Half a pixel past the edge: the mean of the edge and black.
    byte[] shifted = Resample.warp(picture, new Affine(1, 0, -0.5, 0, 1, 0), 6, 4).rgb();
    assertEquals(((picture.rgb()[0] & 0xFF) + 1) / 2, shifted[0] & 0xFF);
  }

  @Test
  public void eachExifOrientationIsWhatItsDefinitionSays() {
    // Exif 3.0, tag 0x0112: which sides of the stored picture the visual top and left are. Stored: 2 rows of 3, numbered 1 to 6.
    int[][] upright = {
      {1, 2, 3, 4, 5, 6}, {3, 2, 1, 6, 5, 4}, {6, 5, 4, 3, 2, 1}, {4, 5, 6, 1, 2, 3},
      {1, 4, 2, 5, 3, 6}, {4, 1, 5, 2, 6, 3}, {6, 3, 5, 2, 4, 1}, {3, 6, 2, 5, 1, 4},
    };
    for (int orientation = 1; orientation <= 8; orientation++) {
      UprightPicture picture = new UprightPicture(2, 3, orientation);
      picture.row(0, new int[] {0xFF000001, 0xFF000002, 0xFF000003});
      picture.row(1, new int[] {0xFF000004, 0xFF000005, 0xFF000006});
      Pixels pixels = picture.pixels();
      assertEquals(orientation < 5 ? 2 : 3, pixels.height());
      int[] blue = new int[6];
      for (int pixel = 0; pixel < 6; pixel++) {
        blue[pixel] = pixels.rgb()[3 * pixel + 2];
      }
      assertArrayEquals("orientation " + orientation, upright[orientation - 1], blue);
    }
  }

  @Test
  public void whatIsTransparentLiesOverWhite() {
    UprightPicture picture = new UprightPicture(1, 3, 1);
    picture.row(0, new int[] {0x00FF0000, 0x80FF0064, 0xFF0A0B0C});
    // 100 at alpha 128: floor((100 * 128 + 255 * 127 + 127) / 255) = 177.
    assertArrayEquals(new byte[] {-1, -1, -1, -1, 127, (byte) 177, 10, 11, 12}, picture.pixels().rgb());
  }

  @Test
  public void similarityIsTheCosineAndRefusesWhatHasNone() {
    float[] one = {3, 0, 4};
    assertEquals(1, Matching.similarity(one, new float[] {6, 0, 8}), 0);
    assertEquals(-1, Matching.similarity(one, new float[] {-3, 0, -4}), 0);
    assertEquals(0.6, Matching.similarity(one, new float[] {1, 0, 0}), 1e-15);
    float[][] none = {{0, 0, 0}, {Float.NaN, 0, 1}, {Float.POSITIVE_INFINITY, 0, 1}, {1, 0}};
    for (float[] other : none) {
      try {
        Matching.similarity(one, other);
        fail("compared");
      } catch (EmbeddingException error) {
        assertEquals("embedding", error.code());
      }
    }
    for (double threshold : new double[] {-1.01, 1.01, Double.NaN}) {
      try {
        Matching.checkThreshold(threshold);
        fail("accepted " + threshold);
      } catch (ThresholdException error) {
        assertEquals("threshold", error.code());
      }
    }
  }

  @Test
  public void facesComeByAreaThenByScoreThenByBox() {
    Detection[] sorted = {
      face(0.1, 0, 0, 4, 4), face(0.9, 0, 0, 3, 3), face(0.8, 2, 9, 5, 12), face(0.8, 3, 1, 6, 4), face(0.8, 3, 2, 6, 5), face(0.7, 0, 0, 3, 3),
    };
    List<Detection> shuffled = new ArrayList<>(Arrays.asList(sorted));
    for (int round = 0; round < 20; round++) {
      Collections.shuffle(shuffled, new Random(round));
      Collections.sort(shuffled, Detection.LARGEST_FIRST);
      assertEquals(Arrays.asList(sorted), shuffled);
    }
  }

  private static Detection face(double score, double... corners) {
    return new Detection(corners, score, new double[0][]);
  }

  @Test
  public void picturesOfImpossibleSizesAreRefused() {
    int[][] sizes = {{0, 4}, {4, 0}, {-1, -1}, {2, 2}};
    for (int[] size : sizes) {
      try {
        Pixels made = new Pixels(size[0], size[1], new byte[3]);
        fail("made " + made.height());
      } catch (ImageException.Array error) {
        assertEquals("image.array", error.code());
      }
    }
    try {
      Pixels.black(1 << 16, 1 << 16);
      fail("made");
    } catch (ImageException.Size error) {
      assertEquals("image.size", error.code());
    }
  }

  private static Pixels noise(int height, int width) {
    byte[] rgb = new byte[3 * height * width];
    new Random(1).nextBytes(rgb);
    return new Pixels(height, width, rgb);
  }
}
