package org.pocketface.sdk.gallery;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertThrows;
import static org.junit.Assert.assertTrue;

import java.io.File;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.security.GeneralSecurityException;
import java.util.Arrays;
import java.util.Collections;
import java.util.Random;
import javax.crypto.Cipher;
import javax.crypto.spec.GCMParameterSpec;
import javax.crypto.spec.SecretKeySpec;
import org.junit.Before;
import org.junit.Rule;
import org.junit.Test;
import org.junit.rules.TemporaryFolder;

/**
 * The file is the one of docs/gallery-format.md: one that is put together here, by that page alone, is read, and whatever breaks the
 * format is refused with the code that the page states.
 */
public final class TamperTest {
  @Rule public final TemporaryFolder folder = new TemporaryFolder();

  private final HeldKey key = new HeldKey();
  private File file;
  private byte[] whole;

  @Before
  public void write() throws Exception {
    file = new File(folder.getRoot(), "gallery.pfga");
    Random random = new Random(2);
    Gallery gallery = Gallery.open(file, key);
    gallery.enrol("Alice", Samples.FIRST, Samples.templates(random, Samples.FIRST, 2));
    gallery.enrol("Bob", Samples.SECOND, Samples.templates(random, Samples.SECOND, 1));
    whole = Files.readAllBytes(file.toPath());
  }

  private String codeOf(byte[] changed) throws IOException {
    Files.write(file.toPath(), changed);
    return assertThrows(GalleryException.class, () -> Gallery.open(file, key)).code();
  }

  @Test
  public void everyByteIsGuarded() throws IOException {
    for (int at = 0; at < whole.length; at++) {
      // Each bit of what is read before it is authenticated; of the rest one bit a byte, all eight in turn.
      boolean plain = at < 8 || at >= 80 && at < 84;
      for (int bit = plain ? 0 : at % 8; bit <= (plain ? 7 : at % 8); bit++) {
        byte[] changed = whole.clone();
        changed[at] ^= 1 << bit;
        String code = codeOf(changed);
        assertEquals("byte " + at + " bit " + bit, expected(at, bit), code);
      }
    }
  }

  private static String expected(int at, int bit) {
    if (at < 4) {
      return "gallery.format";
    }
    if (at < 6) {
      return "gallery.version";
    }
    if (at < 8) {
      return "gallery.format";
    }
    if (at < 80) {
      return "gallery.authentication";
    }
    if (at < 84) {
      // Above 2^26 the stated size is past the limit, whatever the file's size.
      return at == 83 && bit >= 2 ? "gallery.limit" : "gallery.format";
    }
    return "gallery.authentication";
  }

  @Test
  public void cutOffAnywhereOrAddedToItIsRefused() throws IOException {
    for (int size = 0; size < whole.length; size++) {
      assertEquals("cut to " + size, "gallery.format", codeOf(Arrays.copyOf(whole, size)));
    }
    assertEquals("gallery.format", codeOf(Arrays.copyOf(whole, whole.length + 1)));
  }

  @Test
  public void partsOfTwoFilesDoNotGoTogether() throws IOException {
    Gallery gallery = Gallery.open(file, key);
    gallery.rename(gallery.people().get(0).id(), "Alicf");
    byte[] later = Files.readAllBytes(file.toPath());
    assertEquals(whole.length, later.length);
    for (int cut : new int[] {20, 68, 80, 84, whole.length - 16}) {
      byte[] mixed = later.clone();
      System.arraycopy(whole, 0, mixed, 0, cut);
      assertEquals("the first " + cut + " bytes of another", "gallery.authentication", codeOf(mixed));
    }
  }

  // Files that are put together by the documented format

  private static ByteBuffer buffer(int size) {
    return ByteBuffer.allocate(size).order(ByteOrder.LITTLE_ENDIAN);
  }

  private static byte[] joined(Object... parts) {
    ByteBuffer out = buffer(1000);
    for (Object part : parts) {
      if (part instanceof byte[]) {
        out.put((byte[]) part);
      } else if (part instanceof String) {
        byte[] text = ((String) part).getBytes(StandardCharsets.UTF_8);
        out.put((byte) text.length).put(text);
      } else if (part instanceof Short) {
        out.putShort((Short) part);
      } else if (part instanceof Integer) {
        out.putInt((Integer) part);
      } else if (part instanceof Long) {
        out.putLong((Long) part);
      } else {
        out.putFloat((Float) part);
      }
    }
    return Arrays.copyOf(out.array(), out.position());
  }

  private static byte[] filled(int size, int value) {
    byte[] bytes = new byte[size];
    Arrays.fill(bytes, (byte) value);
    return bytes;
  }

  private byte[] sealed(byte[] body) throws GeneralSecurityException {
    byte[] prefix = joined("PFGA".getBytes(StandardCharsets.US_ASCII), (short) 1, (short) 0);
    Cipher wrap = Cipher.getInstance("AES/GCM/NoPadding");
    wrap.init(Cipher.ENCRYPT_MODE, key.find(), new GCMParameterSpec(128, filled(12, 3)));
    wrap.updateAAD(prefix);
    byte[] header = joined(prefix, filled(12, 3), wrap.doFinal(filled(32, 4)), filled(12, 5), body.length);
    assertEquals(84, header.length);
    Cipher seal = Cipher.getInstance("AES/GCM/NoPadding");
    seal.init(Cipher.ENCRYPT_MODE, new SecretKeySpec(filled(32, 4), "AES"), new GCMParameterSpec(128, filled(12, 5)));
    seal.updateAAD(header);
    return joined(header, seal.doFinal(body));
  }

  /** Metadata: "note" is "å". */
  private static final Object NOTE = joined((short) 1, 4, new byte[] {'n', 'o', 't', 'e'}, 2, new byte[] {(byte) 0xc3, (byte) 0xa5});

  private static byte[] model(int digest, int size) {
    return joined(filled(32, digest), (short) size, "int8");
  }

  private static byte[] template(int model, float... numbers) {
    ByteBuffer out = buffer(10 + 4 * numbers.length).putShort((short) model).putLong(1_700_000_000_001L);
    for (float number : numbers) {
      out.putFloat(number);
    }
    return out.array();
  }

  private static byte[] person(int id, Object name, byte[]... templates) {
    return person(id, name, (Object) joined((short) 0), templates);
  }

  private static byte[] person(int id, Object name, Object metadata, byte[]... templates) {
    byte[] start = joined(filled(16, id), 1_700_000_000_000L, name, metadata, (short) templates.length);
    for (byte[] template : templates) {
      start = joined(start, template);
    }
    return start;
  }

  @Test
  public void aFileMadeByTheDocumentedFormatIsRead() throws Exception {
    byte[] body = joined(2, (short) 2, model(0xab, 2), model(0xcd, 3),
        person(0x11, "Åsa", NOTE, template(0, 0.6f, 0.8f), template(1, 0, -1, 0)), person(0x22, "Bo", template(1, 1, 0, 0)));
    Files.write(file.toPath(), sealed(body));
    Gallery gallery = Gallery.open(file, key);
    Person person = gallery.people().get(0);
    assertEquals("11111111-1111-1111-1111-111111111111", person.id());
    assertEquals("Åsa", person.name());
    assertEquals(1_700_000_000_000L, person.created());
    assertEquals(Collections.singletonMap("note", "å"), person.metadata());
    assertEquals(1_700_000_000_001L, person.templates().get(1).created());
    assertEquals(new String(new char[32]).replace("\0", "cd"), person.templates().get(1).model().sha256());
    try (Templates templates = gallery.templatesFor(person.templates().get(0).model())) {
      assertEquals("[0.6, 0.8]", Arrays.toString(templates.template(0)));
    }
    gallery.rename(gallery.people().get(1).id(), "Bo");
    assertEquals("and written as it was", sealed(body).length, file.length());
    assertEquals("Åsa", Gallery.open(file, key).people().get(0).name());
  }

  @Test
  public void sealedBytesThatBreakTheFormatAreRefused() throws Exception {
    byte[] good = person(1, "A", template(0, 1, 0));
    byte[][] bodies = {
      new byte[0],
      joined(1, (short) 1, model(1, 2)),
      joined(1, (short) 1, model(1, 2), Arrays.copyOf(good, good.length - 1)),
      joined(1, (short) 1, model(1, 2), good, (short) 0),
      joined(-1, (short) 1, model(1, 2), good),
      joined(1, (short) 2, model(1, 2), model(2, 2), good),
      joined(1, (short) 2, model(1, 2), model(1, 2), person(1, "A", template(0, 1, 0), template(1, 1, 0))),
      joined(1, (short) 1, model(1, 0), person(1, "A", template(0))),
      joined(1, (short) 1, model(1, 4097), good),
      joined(1, (short) 1, filled(32, 1), (short) 2, "no name", good),
      joined(2, (short) 1, model(1, 2), good, person(1, "B", template(0, 1, 0))),
      joined(2, (short) 1, model(1, 2), good, person(2, "A", template(0, 1, 0))),
      joined(1, (short) 1, model(1, 2), person(1, "", template(0, 1, 0))),
      joined(1, (short) 1, model(1, 2), person(1, "two\nlines", template(0, 1, 0))),
      joined(1, (short) 1, model(1, 2), person(1, new byte[] {1, (byte) 0xff}, template(0, 1, 0))),
      joined(1, (short) 0, person(1, "A")),
      joined(1, (short) 1, model(1, 2), person(1, "A", (Object) joined((short) 1, 1, new byte[] {'a'}, -1), template(0, 1, 0))),
      joined(1, (short) 1, model(1, 2), person(1, "A", (Object) joined((short) 1, 1, new byte[] {'a'}, 1 << 30), template(0, 1, 0))),
      joined(1, (short) 1, model(1, 2), person(1, "A", (Object) joined((short) 2, 0, 0, 0, 0), template(0, 1, 0))),
      joined(1, (short) 1, model(1, 2), person(1, "A", template(1, 1, 0))),
      joined(1, (short) 1, model(1, 2), person(1, "A", template(0, Float.NaN, 0))),
      joined(1, (short) 1, model(1, 2), person(1, "A", template(0, 1, 1))),
    };
    assertEquals("read where it is right", 1, read(joined(1, (short) 1, model(1, 2), good)).people().size());
    for (int at = 0; at < bodies.length; at++) {
      byte[] file = sealed(bodies[at]);
      assertEquals("body " + at, "gallery.format", codeOf(file));
    }
    assertTrue(read(joined(0, (short) 0)).people().isEmpty());
  }

  private Gallery read(byte[] body) throws Exception {
    Files.write(file.toPath(), sealed(body));
    return Gallery.open(file, key);
  }
}
