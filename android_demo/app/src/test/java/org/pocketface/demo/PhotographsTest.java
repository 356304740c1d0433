package org.pocketface.demo;

import static org.junit.Assert.assertArrayEquals;
import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertTrue;
import static org.junit.Assert.fail;

import android.graphics.Bitmap;
import java.awt.image.BufferedImage;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import javax.imageio.ImageIO;
import org.junit.Test;
import org.junit.runner.RunWith;
import org.pocketface.sdk.PocketFaceException;
import org.pocketface.sdk.Pixels;
import org.pocketface.sdk.android.AssetBundles;
import org.pocketface.sdk.android.Photographs;
import org.robolectric.RobolectricTestRunner;
import org.robolectric.RuntimeEnvironment;
import org.robolectric.annotation.Config;
import org.robolectric.annotation.GraphicsMode;

/** The SDK's way from Android's pictures and assets to its own, with Android's own decoders. */
@RunWith(RobolectricTestRunner.class)
@Config(sdk = 35, application = android.app.Application.class)
@GraphicsMode(GraphicsMode.Mode.NATIVE)
public final class PhotographsTest {
  private static final int HEIGHT = 24;
  private static final int WIDTH = 40;

  private static BufferedImage drawn(int type) {
    BufferedImage image = new BufferedImage(WIDTH, HEIGHT, type);
    for (int y = 0; y < HEIGHT; y++) {
      for (int x = 0; x < WIDTH; x++) {
        image.setRGB(x, y, 200 - 4 * y << 24 | 5 * x << 16 | 9 * y << 8 | x + y);
      }
    }
    return image;
  }

  private static byte[] encoded(BufferedImage image, String format) throws IOException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    ImageIO.write(image, format, bytes);
    return bytes.toByteArray();
  }

  /** The JPEG with an Exif segment behind its first marker that states the orientation: one big-endian TIFF directory of one entry. */
  private static byte[] withOrientation(byte[] jpeg, int orientation) {
    byte[] exif = {
      (byte) 0xFF, (byte) 0xE1, 0, 34, 'E', 'x', 'i', 'f', 0, 0, 'M', 'M', 0, 42, 0, 0, 0, 8, 0, 1, 1, 0x12, 0, 3, 0, 0, 0, 1, 0,
      (byte) orientation, 0, 0, 0, 0, 0, 0
    };
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    bytes.write(jpeg, 0, 2);
    bytes.write(exif, 0, exif.length);
    bytes.write(jpeg, 2, jpeg.length - 2);
    return bytes.toByteArray();
  }

  @Test
  public void aPngIsReadToTheBit() throws IOException {
    byte[] png = encoded(drawn(BufferedImage.TYPE_INT_RGB), "png");
    Pixels pixels = Photographs.read(new ByteArrayInputStream(png), "picture.png");
    assertEquals(HEIGHT, pixels.height());
    for (int pixel = 0; pixel < HEIGHT * WIDTH; pixel++) {
      int x = pixel % WIDTH;
      int y = pixel / WIDTH;
      assertArrayEquals(
          new int[] {5 * x, 9 * y, x + y},
          new int[] {pixels.rgb()[3 * pixel] & 0xFF, pixels.rgb()[3 * pixel + 1] & 0xFF, pixels.rgb()[3 * pixel + 2] & 0xFF});
    }
  }

  @Test
  public void whatIsTransparentLiesOverWhite() throws IOException {
    Pixels pixels = Photographs.read(encoded(drawn(BufferedImage.TYPE_INT_ARGB), "png"), "picture.png");
    for (int y = 0; y < HEIGHT; y++) {
      int alpha = 200 - 4 * y;
      int expected = (5 * 7 * alpha + 255 * (255 - alpha) + 127) / 255;
      assertEquals(expected, pixels.rgb()[3 * (WIDTH * y + 7)] & 0xFF);
    }
  }

  @Test
  public void aJpegIsTurnedAsItsExifSays() throws IOException {
    byte[] jpeg = encoded(drawn(BufferedImage.TYPE_INT_RGB), "jpeg");
    Pixels stored = Photographs.read(jpeg, "picture.jpg");
    Pixels turned = Photographs.read(withOrientation(jpeg, 6), "picture.jpg"); // 6: a quarter turn clockwise makes it upright
    assertEquals(WIDTH, turned.height());
    assertEquals(HEIGHT, turned.width());
    for (int y = 0; y < HEIGHT; y++) {
      for (int x = 0; x < WIDTH; x++) {
        assertEquals(stored.rgb()[3 * (WIDTH * y + x)], turned.rgb()[3 * (HEIGHT * x + HEIGHT - 1 - y)]);
      }
    }
  }

  @Test
  public void aBitmapsPixelsAreItsColours() {
    Bitmap bitmap = Bitmap.createBitmap(3, 2, Bitmap.Config.ARGB_8888);
    bitmap.eraseColor(0xFF102030);
    bitmap.setPixel(2, 1, 0xFF405060);
    Pixels pixels = Photographs.pixels(bitmap);
    assertArrayEquals(new byte[] {0x10, 0x20, 0x30, 0x40, 0x50, 0x60}, Arrays.copyOfRange(pixels.rgb(), 12, 18));
  }

  @Test
  public void whatCannotBeReadIsToldByItsCode() {
    assertCode("image.format", "no picture".getBytes(StandardCharsets.US_ASCII));
    assertCode("image.format", new byte[0]);
    try {
      Photographs.read(
          new InputStream() {
            @Override
            public int read() throws IOException {
              throw new IOException("the card was taken out");
            }
          },
          "picture.jpg");
      fail("read");
    } catch (PocketFaceException error) {
      assertEquals("source", error.code());
    }
    try {
      AssetBundles.open(RuntimeEnvironment.getApplication().getAssets(), "none.pface");
      fail("opened");
    } catch (PocketFaceException error) {
      assertEquals("bundle.read", error.code());
    }
  }

  @Test
  public void whatThereIsNoMemoryForIsToldByItsCode() {
    InputStream large = new InputStream() {
      @Override
      public int read() {
        throw new OutOfMemoryError("as where the heap is full");
      }
    };
    try {
      Photographs.read(large, "picture.jpg");
      fail("read");
    } catch (PocketFaceException error) {
      assertEquals("image.size", error.code());
      assertTrue(error.getMessage(), error.getMessage().startsWith("picture.jpg: there is not memory"));
    }
  }

  private static void assertCode(String code, byte[] data) {
    try {
      Photographs.read(data, "picture");
      fail("read");
    } catch (PocketFaceException error) {
      assertEquals(code, error.code());
    }
  }
}
