package org.pocketface.sdk.android;

import android.graphics.Bitmap;
import android.graphics.BitmapFactory;
import android.media.ExifInterface;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import org.jetbrains.annotations.NotNull;
import org.pocketface.sdk.ImageException;
import org.pocketface.sdk.Pixels;
import org.pocketface.sdk.SourceException;
import org.pocketface.sdk.UprightPicture;

/**
 * Pictures as Android has them, as upright RGB. What this version of Android decodes is read; a picture with a colour profile of its own
 * comes as sRGB.
 */
public final class Photographs {
  /** The most bytes of an encoded picture. */
  public static final int MAX_BYTES = 1 << 28;

  private Photographs() {}

  /**
   * The picture in a stream, such as {@code getContentResolver().openInputStream(uri)} gives, which is read to its end and not closed;
   * {@code name} stands for it in messages.
   *
   * @throws SourceException where the stream cannot be read
   * @throws ImageException where it is no picture that can be used, or there is not memory for it
   */
  @NotNull
  public static Pixels read(@NotNull InputStream stream, @NotNull String name) {
    byte[] encoded;
    try {
      encoded = bytes(stream, name);
    } catch (OutOfMemoryError error) {
      throw new ImageException.Size(name + ": there is not memory for the image file; scale the image down");
    }
    return read(encoded, name);
  }

  private static byte[] bytes(InputStream stream, String name) {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    byte[] part = new byte[1 << 16];
    try {
      for (int count = stream.read(part); count >= 0; count = stream.read(part)) {
        bytes.write(part, 0, count);
        if (bytes.size() > MAX_BYTES) {
          throw new ImageException.Size(name + ": expected an image file of at most " + MAX_BYTES + " bytes, got more");
        }
      }
    } catch (IOException error) {
      throw new SourceException(name + ": cannot be read: " + error.getMessage());
    }
    return bytes.toByteArray();
  }

  /**
   * The picture in an encoded image's bytes; {@code name} stands for it in messages.
   *
   * @throws ImageException where it is no picture that can be used, or there is not memory for it
   */
  @NotNull
  public static Pixels read(@NotNull byte[] encoded, @NotNull String name) {
    BitmapFactory.Options options = new BitmapFactory.Options();
    options.inJustDecodeBounds = true; // its size first, before memory is taken for it
    BitmapFactory.decodeByteArray(encoded, 0, encoded.length, options);
    if (options.outWidth < 1 || options.outHeight < 1) {
      throw new ImageException.Format(name + ": expected an image (JPEG, PNG, WebP, HEIF, GIF, BMP), got something else");
    }
    int height = options.outHeight;
    int width = options.outWidth;
    try {
      return decode(encoded, name, new UprightPicture(height, width, orientation(encoded)));
    } catch (OutOfMemoryError error) {
      throw noMemory(name, height, width);
    }
  }

  private static Pixels decode(byte[] encoded, String name, UprightPicture picture) {
    BitmapFactory.Options options = new BitmapFactory.Options();
    options.inPremultiplied = false; // colours as they are stored, also where they are transparent
    Bitmap bitmap = BitmapFactory.decodeByteArray(encoded, 0, encoded.length, options);
    if (bitmap == null) {
      throw new ImageException.Truncated(name + ": expected a whole image, got damaged data; get the file again");
    }
    try {
      copy(bitmap, picture);
    } finally {
      bitmap.recycle();
    }
    return picture.pixels();
  }

  /**
   * The pixels of an upright bitmap, of any configuration.
   *
   * @throws ImageException.Size where it has too many pixels, or there is not memory for them
   */
  @NotNull
  public static Pixels pixels(@NotNull Bitmap bitmap) {
    try {
      return upright(bitmap);
    } catch (OutOfMemoryError error) {
      throw noMemory("bitmap", bitmap.getHeight(), bitmap.getWidth());
    }
  }

  /** Android gives an app some hundred MB of heap; a photograph of 100 million pixels asks for 300. */
  private static ImageException noMemory(String name, int height, int width) {
    return new ImageException.Size(name + ": there is not memory for " + height + " x " + width + " pixels; scale the image down");
  }

  private static Pixels upright(Bitmap bitmap) {
    UprightPicture picture = new UprightPicture(bitmap.getHeight(), bitmap.getWidth(), ExifInterface.ORIENTATION_NORMAL);
    if (bitmap.getConfig() != Bitmap.Config.HARDWARE) {
      copy(bitmap, picture);
      return picture.pixels();
    }
    Bitmap readable = bitmap.copy(Bitmap.Config.ARGB_8888, false); // pixels in graphics memory cannot be read
    try {
      copy(readable, picture);
    } finally {
      readable.recycle();
    }
    return picture.pixels();
  }

  private static void copy(Bitmap bitmap, UprightPicture picture) {
    int width = bitmap.getWidth();
    int[] row = new int[width];
    for (int y = 0; y < bitmap.getHeight(); y++) {
      bitmap.getPixels(row, 0, width, 0, y, width, 1);
      picture.row(y, row);
    }
  }

  private static int orientation(byte[] encoded) {
    try {
      ExifInterface exif = new ExifInterface(new ByteArrayInputStream(encoded));
      return exif.getAttributeInt(ExifInterface.TAG_ORIENTATION, ExifInterface.ORIENTATION_NORMAL);
    } catch (IOException error) {
      return ExifInterface.ORIENTATION_NORMAL; // a photograph with damaged EXIF is still a photograph
    }
  }
}
