package org.pocketface.sdk;

import static org.junit.Assert.assertArrayEquals;
import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertThrows;

import java.nio.ByteBuffer;
import org.junit.Test;

public final class YuvFrameTest {
  private static final int HEIGHT = 4;
  private static final int WIDTH = 6;

  /** Colours of T.871: each with its luma and chroma, worked out by hand from the standard's equations and rounded. */
  private static final int[][] RGB_YUV = {
    {0, 0, 0, 0, 128, 128}, {255, 255, 255, 255, 128, 128}, {128, 128, 128, 128, 128, 128},
    {255, 0, 0, 76, 85, 255}, {0, 255, 0, 150, 44, 21}, {0, 0, 255, 29, 255, 107}
  };

  @Test
  public void coloursAreThoseOfJfif() {
    for (int[] colour : RGB_YUV) {
      Pixels picture = new Pixels(2, 2, new byte[12]);
      frame(2, 2, plane(fill(4, colour[3]), 2, 1), plane(fill(1, colour[4]), 1, 1), plane(fill(1, colour[5]), 1, 1)).toUpright(0, picture);
      for (int at = 0; at < 12; at++) {
        // Luma and chroma are rounded to whole levels, and chroma weighs up to 1.772: half a level of each is 0.5 + 0.886, hence 2.
        assertEquals(colour[at % 3], picture.rgb()[at] & 255, 2);
      }
    }
  }

  @Test
  public void whatIsUpperLeftGoesWhereTheTurnTakesIt() {
    // Luma is 1 at the upper left pixel, 2 at the upper right one, 0 elsewhere; grey, so red is luma.
    byte[] luma = new byte[HEIGHT * WIDTH];
    luma[0] = 100;
    luma[WIDTH - 1] = (byte) 200;
    YuvFrame frame = grey(luma, WIDTH, 1);
    assertCorners(upright(frame, 0), 100, 200, 0, 0);
    assertCorners(upright(frame, 90), 0, 100, 200, 0); // the left side comes up
    assertCorners(upright(frame, 180), 0, 0, 100, 200);
    assertCorners(upright(frame, 270), 200, 0, 0, 100); // the right side comes up
  }

  @Test
  public void fourQuarterTurnsAreNone() {
    byte[] luma = new byte[HEIGHT * WIDTH];
    for (int at = 0; at < luma.length; at++) {
      luma[at] = (byte) (10 * at);
    }
    byte[] once = upright(grey(luma, WIDTH, 1), 0).rgb();
    Pixels turned = upright(grey(luma, WIDTH, 1), 90);
    for (int turn = 0; turn < 3; turn++) {
      byte[] next = new byte[turned.height() * turned.width()];
      for (int at = 0; at < next.length; at++) {
        next[at] = turned.rgb()[3 * at];
      }
      YuvFrame frame = new YuvFrame(
          turned.height(), turned.width(), plane(next, turned.width(), 1), plane(fill(6, 128), turned.width() / 2, 1),
          plane(fill(6, 128), turned.width() / 2, 1));
      turned = upright(frame, 90);
    }
    assertArrayEquals(once, turned.rgb());
  }

  @Test
  public void stridesArePassedOver() {
    // As phones lay it out: rows padded to 16 bytes, U and V taking turns in one buffer, the last row without its padding.
    byte[] tight = new byte[HEIGHT * WIDTH];
    byte[] padded = fill(3 * 16 + WIDTH, 77);
    for (int at = 0; at < tight.length; at++) {
      tight[at] = (byte) (20 + 9 * at);
      padded[at / WIDTH * 16 + at % WIDTH] = tight[at];
    }
    byte[] chroma = fill(16 + 6, 0);
    byte[] u = new byte[6];
    byte[] v = new byte[6];
    for (int at = 0; at < 6; at++) {
      int place = at / 3 * 16 + at % 3 * 2;
      chroma[place] = u[at] = (byte) (90 + 13 * at);
      chroma[place + 1] = v[at] = (byte) (160 - 7 * at);
    }
    ByteBuffer second = ByteBuffer.wrap(chroma);
    second.position(1);
    YuvFrame strided = frame(HEIGHT, WIDTH, plane(padded, 16, 1), plane(chroma, 16, 2), new YuvFrame.Plane(second, 16, 2));
    YuvFrame plain = frame(HEIGHT, WIDTH, plane(tight, WIDTH, 1), plane(u, 3, 1), plane(v, 3, 1));
    assertArrayEquals(upright(plain, 0).rgb(), upright(strided, 0).rgb());
    assertEquals(1, second.position());
  }

  @Test
  public void aPlaneThatIsTooShortIsRefusedBeforeItIsRead() {
    ImageException error = assertThrows(ImageException.Array.class, () -> grey(new byte[HEIGHT * WIDTH - 1], WIDTH, 1));
    assertEquals("frame: expected 24 bytes of plane Y (row stride 6, pixel stride 1), got 23", error.getMessage());
    assertThrows(IllegalArgumentException.class, () -> upright(grey(new byte[HEIGHT * WIDTH], WIDTH, 1), 45));
    assertThrows(
        ImageException.Array.class, () -> grey(new byte[HEIGHT * WIDTH], WIDTH, 1).toUpright(90, new Pixels(HEIGHT, WIDTH, new byte[72])));
  }

  private static Pixels upright(YuvFrame frame, int degrees) {
    Pixels picture = new Pixels(frame.uprightHeight(degrees), frame.uprightWidth(degrees), new byte[3 * HEIGHT * WIDTH]);
    frame.toUpright(degrees, picture);
    return picture;
  }

  private static void assertCorners(Pixels picture, int upperLeft, int upperRight, int lowerRight, int lowerLeft) {
    int right = 3 * (picture.width() - 1);
    int bottom = 3 * (picture.height() - 1) * picture.width();
    byte[] rgb = picture.rgb();
    int[] seen = {rgb[0] & 255, rgb[right] & 255, rgb[bottom + right] & 255, rgb[bottom] & 255};
    assertArrayEquals(new int[] {upperLeft, upperRight, lowerRight, lowerLeft}, seen);
  }

  private static YuvFrame grey(byte[] luma, int rowStride, int pixelStride) {
    return frame(HEIGHT, WIDTH, plane(luma, rowStride, pixelStride), plane(fill(6, 128), 3, 1), plane(fill(6, 128), 3, 1));
  }

  private static YuvFrame frame(int height, int width, YuvFrame.Plane y, YuvFrame.Plane u, YuvFrame.Plane v) {
    return new YuvFrame(height, width, y, u, v);
  }

  private static YuvFrame.Plane plane(byte[] bytes, int rowStride, int pixelStride) {
    return new YuvFrame.Plane(ByteBuffer.wrap(bytes), rowStride, pixelStride);
  }

  private static byte[] fill(int count, int value) {
    byte[] bytes = new byte[count];
    java.util.Arrays.fill(bytes, (byte) value);
    return bytes;
  }
}
