package org.pocketface.sdk;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.zip.CRC32;
import java.util.zip.DataFormatException;
import java.util.zip.Inflater;
import org.jetbrains.annotations.NotNull;

/**
 * Reads the PNGs of a bundle: 8-bit RGB, not interlaced (PNG specification, third edition, W3C 2025). The self-test reads with this, not
 * with the platform's decoder, so that what it says of a phone is not about how that phone decodes or colour-manages pictures.
 */
public final class Png {
  private static final long SIGNATURE = 0x89504E470D0A1A0AL;
  private static final int HEADER = 0x49484452; // "IHDR"
  private static final int DATA = 0x49444154; // "IDAT"
  private static final int END = 0x49454E44; // "IEND"

  private final ByteBuffer file;
  private final String name;

  private Png(ByteBuffer file, String name) {
    this.file = file.slice().order(ByteOrder.BIG_ENDIAN);
    this.name = name;
  }

  /**
   * The picture in {@code file}; {@code name} stands for it in messages.
   *
   * @throws ImageException.Format where it is no PNG
   * @throws ImageException.Mode where it is not 8-bit RGB without interlacing
   * @throws ImageException.Size where it has too many pixels
   * @throws ImageException.Truncated where it ends too early or is damaged
   */
  @NotNull
  public static Pixels read(@NotNull ByteBuffer file, @NotNull String name) {
    return new Png(file, name).read();
  }

  private Pixels read() {
    if (file.remaining() < 8 || file.getLong() != SIGNATURE) {
      throw new ImageException.Format(name + ": expected a PNG, got something else");
    }
    ByteBuffer header = chunk(HEADER);
    if (header == null || header.remaining() != 13) {
      throw damaged("its header is missing");
    }
    long width = header.getInt() & 0xFFFFFFFFL;
    long height = header.getInt() & 0xFFFFFFFFL;
    int depth = header.get();
    int kind = header.get();
    int compression = header.get();
    int filter = header.get();
    int interlacing = header.get();
    if (depth != 8 || kind != 2 || compression != 0 || filter != 0 || interlacing != 0) {
      throw new ImageException.Mode(name + ": expected 8-bit RGB without interlacing, got depth " + depth + ", colour type " + kind);
    }
    if (width < 1 || height < 1 || width > Pixels.MAX_PIXELS / height) {
      throw new ImageException.Size(name + ": expected 1 to " + Pixels.MAX_PIXELS + " pixels, got " + width + " x " + height);
    }
    return new Pixels((int) height, (int) width, unfilter(inflate((int) height * (3 * (int) width + 1)), (int) width, (int) height));
  }

  /** The data of the next chunk of that type; others are skipped. Each chunk's checksum is checked. Null: there is none left. */
  private ByteBuffer chunk(int wanted) {
    while (file.remaining() >= 12) {
      int length = file.getInt();
      int start = file.position();
      if (length < 0 || length > file.remaining() - 8) {
        throw damaged("a chunk reaches past its end");
      }
      int type = file.getInt();
      CRC32 checksum = new CRC32();
      checksum.update(Buffers.part(file, start, 4 + length));
      ByteBuffer data = Buffers.part(file, start + 4, length).order(ByteOrder.BIG_ENDIAN);
      file.position(start + 4 + length);
      if (file.getInt() != (int) checksum.getValue()) {
        throw damaged("the checksum of a chunk is wrong");
      }
      if (type == wanted) {
        return data;
      }
      if (type == END) {
        return null;
      }
    }
    return null;
  }

  /** All image data, which is {@code size} bytes: for each row its filter and its pixels. */
  private byte[] inflate(int size) {
    byte[] rows = new byte[size];
    int written = 0;
    Inflater inflater = new Inflater();
    try {
      for (ByteBuffer data = chunk(DATA); data != null && written < size; data = chunk(DATA)) {
        byte[] input = new byte[data.remaining()];
        data.get(input);
        inflater.setInput(input);
        while (!inflater.needsInput() && !inflater.finished() && written < size) {
          written += inflater.inflate(rows, written, size - written);
        }
      }
    } catch (DataFormatException error) {
      throw damaged(String.valueOf(error.getMessage()));
    } finally {
      inflater.end();
    }
    if (written < size) {
      throw damaged("it ends after " + written + " of " + size + " bytes of pixels");
    }
    return rows;
  }

  /** Undoes the filter of each row: a byte was stored less what the bytes to its left (a), above (b), and above left (c) foretell. */
  private byte[] unfilter(byte[] rows, int width, int height) {
    int stride = 3 * width;
    byte[] rgb = new byte[stride * height];
    for (int row = 0; row < height; row++) {
      int filter = rows[row * (stride + 1)];
      for (int column = 0; column < stride; column++) {
        int at = row * stride + column;
        int a = column < 3 ? 0 : rgb[at - 3] & 0xFF;
        int b = row == 0 ? 0 : rgb[at - stride] & 0xFF;
        int c = column < 3 || row == 0 ? 0 : rgb[at - stride - 3] & 0xFF;
        rgb[at] = (byte) (rows[row * (stride + 1) + 1 + column] + foretold(filter, a, b, c));
      }
    }
    return rgb;
  }

  private int foretold(int filter, int a, int b, int c) {
    switch (filter) {
      case 0:
        return 0;
      case 1:
        return a;
      case 2:
        return b;
      case 3:
        return (a + b) / 2;
      case 4:
        return paeth(a, b, c);
      default:
        throw damaged("a row has filter " + filter);
    }
  }

  /** The one of a, b, c that is nearest to a + b − c. */
  private static int paeth(int a, int b, int c) {
    int toA = Math.abs(b - c);
    int toB = Math.abs(a - c);
    int toC = Math.abs(a + b - 2 * c);
    if (toA <= toB && toA <= toC) {
      return a;
    }
    return toB <= toC ? b : c;
  }

  private ImageException damaged(String reason) {
    return new ImageException.Truncated(name + ": expected a whole image, got damaged data (" + reason + "); get the file again");
  }
}
