package org.pocketface.sdk;

import static org.junit.Assert.assertArrayEquals;
import static org.junit.Assert.assertEquals;
import static org.junit.Assert.fail;

import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.Random;
import javax.imageio.ImageIO;
import org.junit.Test;

/** The bundle's pictures are read as another reader and writer of PNG has them, and damage is told. */
public class PngTest {
  private static byte[] written(BufferedImage image) throws IOException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    ImageIO.write(image, "png", bytes);
    return bytes.toByteArray();
  }

  private static BufferedImage drawn() {
    BufferedImage image = new BufferedImage(37, 23, BufferedImage.TYPE_INT_RGB);
    Random random = new Random(3);
    for (int y = 0; y < 23; y++) {
      for (int x = 0; x < 37; x++) {
        // Smooth above and noise below, so that a writer that chooses filters chooses several.
        image.setRGB(x, y, y < 12 ? 0x010203 * x + 0x030201 * y : random.nextInt(1 << 24));
      }
    }
    return image;
  }

  private static String code(byte[] data) {
    try {
      Png.read(ByteBuffer.wrap(data), "test");
      return "accepted";
    } catch (ImageException error) {
      return error.code();
    }
  }

  @Test
  public void pixelsAreThoseThatWereWritten() throws IOException {
    BufferedImage image = drawn();
    Pixels read = Png.read(ByteBuffer.wrap(written(image)), "test");
    byte[] expected = new byte[3 * 37 * 23];
    for (int pixel = 0; pixel < 37 * 23; pixel++) {
      int rgb = image.getRGB(pixel % 37, pixel / 37);
      expected[3 * pixel] = (byte) (rgb >> 16);
      expected[3 * pixel + 1] = (byte) (rgb >> 8);
      expected[3 * pixel + 2] = (byte) rgb;
    }
    assertEquals(23, read.height());
    assertArrayEquals(expected, read.rgb());
  }

  @Test
  public void everyCutIsToldAndEveryChangedBitThatMatters() throws IOException {
    byte[] whole = written(drawn());
    int end = whole.length - 12; // the last chunk says only that it is the last
    for (int size = 0; size < end; size++) {
      String code = code(Arrays.copyOf(whole, size));
      assertEquals("cut to " + size, size < 8 ? "image.format" : "image.truncated", code);
    }
    for (int bit = 0; bit < 8 * end; bit += 5) {
      byte[] damaged = whole.clone();
      damaged[bit / 8] ^= 1 << bit % 8;
      if (code(damaged).equals("accepted")) {
        fail("bit " + bit);
      }
    }
  }

  @Test
  public void otherKindsOfPngAreNotGuessed() throws IOException {
    assertEquals("image.mode", code(written(new BufferedImage(4, 4, BufferedImage.TYPE_BYTE_GRAY))));
    assertEquals("image.mode", code(written(new BufferedImage(4, 4, BufferedImage.TYPE_INT_ARGB))));
    assertEquals("image.format", code(new byte[100]));
  }
}
