package org.pocketface.demo;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertNull;
import static org.junit.Assert.assertTrue;

import org.junit.Test;
import org.pocketface.sdk.Pixels;

public final class QualityTest {
  private static final double CROP_EYES = 35;
  private static final Pixels FRAME = new Pixels(640, 480, new byte[3 * 640 * 480]);
  private static final double[] BOX = {150, 200, 330, 400};

  @Test
  public void aLargeStraightSharpFaceIsAsGoodAsCanBe() {
    Quality quality = judge(BOX, points(70, 0, 0, 0), crop(128, 40));
    assertEquals(1, quality.score(), 0);
    assertNull(quality.flaw());
  }

  @Test
  public void eachFlawIsNamed() {
    assertEquals(Quality.Flaw.SMALL, judge(BOX, points(30, 0, 0, 0), crop(128, 40)).flaw());
    assertEquals(Quality.Flaw.CUT_OFF, judge(new double[] {-60, 200, 120, 400}, points(70, 0, 0, 0), crop(128, 40)).flaw());
    assertEquals(Quality.Flaw.SIDEWAYS, judge(BOX, points(70, 0.3, 0, 0), crop(128, 40)).flaw());
    assertEquals(Quality.Flaw.SIDEWAYS, judge(BOX, points(70, -0.3, 0, 0), crop(128, 40)).flaw());
    assertEquals(Quality.Flaw.UP_DOWN, judge(BOX, points(70, 0, 0.3, 0), crop(128, 40)).flaw());
    assertEquals(Quality.Flaw.TILTED, judge(BOX, points(70, 0, 0, 30), crop(128, 40)).flaw());
    assertEquals(Quality.Flaw.DARK, judge(BOX, points(70, 0, 0, 0), crop(30, 29)).flaw());
    assertEquals(Quality.Flaw.BRIGHT, judge(BOX, points(70, 0, 0, 0), crop(230, 24)).flaw());
    assertEquals(Quality.Flaw.FLAT, judge(BOX, points(70, 0, 0, 0), crop(128, 8)).flaw());
    assertEquals(Quality.Flaw.BLURRED, judge(BOX, points(70, 0, 0, 0), waves(40)).flaw());
  }

  @Test
  public void theScoreFallsToHalfAtTheGateAndOnFromThere() {
    // The gate of the size is the distance of the eyes in the crop.
    assertEquals(Quality.GATE, judge(BOX, points(35, 0, 0, 0), crop(128, 40)).score(), 1e-9);
    assertNull(judge(BOX, points(35, 0, 0, 0), crop(128, 40)).flaw());
    double smaller = judge(BOX, points(30, 0, 0, 0), crop(128, 40)).score();
    double smallest = judge(BOX, points(5, 0, 0, 0), crop(128, 40)).score();
    assertTrue(smaller < Quality.GATE && smallest < smaller);
    assertEquals(0, smallest, 0);
  }

  @Test
  public void aTiltedHeadIsNotTakenForATurnedOne() {
    FacePoints tilted = points(70, 0.1, 0.05, 20);
    assertEquals(20, tilted.tiltDegrees(), 1e-9);
    assertEquals(0.1, tilted.sideways(), 1e-9);
    assertEquals(0.05, tilted.upDown(), 1e-9);
    assertEquals(70, tilted.eyeDistance(), 1e-9);
  }

  @Test
  public void pointsThatMakeNoFaceAreSmall() {
    double[] middle = {240, 300};
    assertEquals(Quality.Flaw.SMALL, judge(BOX, new FacePoints(middle, middle, middle, middle), crop(128, 40)).flaw());
    double[] nose = {240, 330};
    Quality mouthBetweenTheEyes = judge(BOX, new FacePoints(new double[] {190, 300}, new double[] {290, 300}, nose, middle), crop(128, 40));
    assertEquals(Quality.Flaw.SMALL, mouthBetweenTheEyes.flaw());
    assertEquals(0, mouthBetweenTheEyes.score(), 0);
  }

  @Test
  public void withoutKnownPointsTheCropAloneIsJudged() {
    assertNull(Quality.ofCrop(FRAME, BOX, crop(128, 40)).flaw());
    assertEquals(Quality.Flaw.DARK, Quality.ofCrop(FRAME, BOX, crop(30, 29)).flaw());
  }

  private static Quality judge(double[] box, FacePoints points, Pixels crop) {
    return Quality.of(FRAME, box, points, crop, CROP_EYES);
  }

  /** A face at (240, 300): `sideways` and `upDown` as FacePoints defines them, then all turned clockwise by `degrees`. */
  private static FacePoints points(double eyeDistance, double sideways, double upDown, double degrees) {
    double depth = eyeDistance * 1.1;
    double[][] upright = {
      {-eyeDistance / 2, 0}, {eyeDistance / 2, 0}, {sideways * eyeDistance, (0.5 + upDown) * depth}, {0, depth}
    };
    double cos = Math.cos(Math.toRadians(degrees));
    double sin = Math.sin(Math.toRadians(degrees));
    double[][] turned = new double[4][];
    for (int at = 0; at < 4; at++) {
      double[] point = upright[at];
      turned[at] = new double[] {240 + cos * point[0] - sin * point[1], 300 + sin * point[0] + cos * point[1]};
    }
    return new FacePoints(turned[0], turned[1], turned[2], turned[3]);
  }

  /** A chessboard of that mean and standard deviation: as sharp as can be. */
  private static Pixels crop(int mean, int deviation) {
    byte[] rgb = new byte[3 * 112 * 112];
    for (int at = 0; at < rgb.length; at++) {
      int row = at / 3 / 112;
      int column = at / 3 % 112;
      rgb[at] = (byte) (mean + ((row + column) % 2 == 0 ? deviation : -deviation));
    }
    return new Pixels(112, 112, rgb);
  }

  /** A wave of 64 pixels across: no fine detail. Its Laplacian is (2π / 64)² of itself, 0.0096, so its energy is 0.0001 of the variance. */
  private static Pixels waves(int deviation) {
    byte[] rgb = new byte[3 * 112 * 112];
    for (int at = 0; at < rgb.length; at++) {
      rgb[at] = (byte) Math.round(128 + deviation * Math.sqrt(2) * Math.sin(2 * Math.PI * (at / 3 % 112) / 64));
    }
    return new Pixels(112, 112, rgb);
  }
}
