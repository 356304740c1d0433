package org.pocketface.sdk;

import static org.junit.Assert.assertArrayEquals;
import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertTrue;
import static org.junit.Assert.fail;

import com.eclipsesource.json.Json;
import com.eclipsesource.json.JsonObject;
import java.io.File;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.bytedeco.javacpp.BytePointer;
import org.junit.Rule;
import org.junit.Test;
import org.junit.rules.TemporaryFolder;
import org.pocketface.sdk.manifest.BlobFile;
import org.pocketface.sdk.manifest.Manifest;

/** Bundles are opened from files, from parts of files as assets are, and from memory; models that are not packed run where they lie. */
public class BundleTest {
  private static final int PAGE = 4096;

  @Rule public final TemporaryFolder temporary = new TemporaryFolder();

  private final Goldens goldens = Goldens.open();

  private File file() throws IOException {
    return goldens.file(goldens.bundles().get(0).get("file").asString());
  }

  private static String plainVariant(Bundle bundle) {
    for (String name : bundle.variants()) {
      if (!bundle.variant(name).packed) {
        return name;
      }
    }
    throw new AssertionError("every bundle of the goldens has a variant that is not packed");
  }

  @Test
  public void aMappedModelRunsWhereItLiesInTheFilesMapping() throws IOException {
    Path copy = temporary.newFile("mapped-alone.pface").toPath(); // a name of its own among this process's mappings
    Files.write(copy, Files.readAllBytes(file().toPath()));
    Bundle bundle = Bundle.open(copy.toFile());
    ByteBuffer model = bundle.model(plainVariant(bundle));
    assertTrue(model.isDirect() && model.isReadOnly());
    long address = new BytePointer(model).address();
    assertEquals(0, address % PAGE);
    assertEquals("used in place", address, new BytePointer(NativeInterpreter.usable(model)).address());
    boolean inside = false;
    for (String line : Files.readAllLines(new File("/proc/self/maps").toPath(), StandardCharsets.ISO_8859_1)) {
      String[] ends = line.split(" ", 2)[0].split("-");
      inside |=
          line.contains("mapped-alone.pface")
              && address >= Long.parseUnsignedLong(ends[0], 16)
              && address < Long.parseUnsignedLong(ends[1], 16);
    }
    assertTrue("the model's address lies in the mapping of the file", inside);
  }

  @Test
  public void aBundleWithinAnotherFileIsTheSameBundleAlignedOrNot() throws IOException {
    byte[] bytes = Files.readAllBytes(file().toPath());
    Bundle alone = Bundle.open(file());
    Pixels crop = goldens.crops(goldens.bundles().get(0)).get(0);
    float[] expected;
    try (Recognizer recognizer = new Recognizer(alone, plainVariant(alone), 1)) {
      expected = recognizer.embedder().embed(crop);
    }
    for (int offset : new int[] {4 * PAGE, PAGE + 3}) { // as zipalign lays an asset, and as nothing does
      File archive = temporary.newFile();
      try (FileOutputStream stream = new FileOutputStream(archive)) {
        stream.write(new byte[offset]);
        stream.write(bytes);
        stream.write(new byte[99]);
      }
      Bundle within;
      try (RandomAccessFile access = new RandomAccessFile(archive, "r"); FileChannel channel = access.getChannel()) {
        within = Bundle.map(channel, offset, bytes.length, "asset");
      }
      assertEquals(alone.sha256(), within.sha256());
      try (Recognizer recognizer = new Recognizer(within, plainVariant(within), 1)) {
        assertArrayEquals(expected, recognizer.embedder().embed(crop), 0);
      }
    }
  }

  @Test
  public void readIntoMemoryItIsTheSameAndNeedsTheFileNoLonger() throws IOException {
    File copy = temporary.newFile();
    Files.write(copy.toPath(), Files.readAllBytes(file().toPath()));
    Bundle bundle = Bundle.read(copy);
    Files.write(copy.toPath(), new byte[10]);
    Bundle again = Bundle.open(file());
    assertEquals(again.sha256(), bundle.sha256());
    for (BlobFile blob : bundle.manifest().files) {
      assertEquals(again.blob(blob.path), bundle.blob(blob.path));
      assertTrue(bundle.blob(blob.path).isReadOnly());
    }
  }

  @Test
  public void aBundleOnTheHeapRunsToo() throws IOException {
    JsonObject golden = goldens.bundles().get(0);
    Bundle bundle = Bundle.parse(ByteBuffer.wrap(Files.readAllBytes(file().toPath())), "heap");
    assertFalse(bundle.model(plainVariant(bundle)).isDirect());
    for (Check check : SelfTest.run(bundle, 1)) {
      assertTrue(golden.get("file").asString() + " " + check.name, check.passed);
    }
  }

  @Test
  public void goldenFacesHaveTheKeyPointsOfTheDetector() throws IOException {
    JsonObject manifest = Json.parse(Bundle.open(file()).manifestText()).asObject();
    JsonObject image = manifest.get("golden").asObject().get("images").asArray().get(0).asObject();
    image.get("faces").asArray().get(0).asObject().get("key_points").asArray().remove(0);
    try {
      Manifest.read(ByteBuffer.wrap(manifest.toString().getBytes(StandardCharsets.UTF_8)), "test");
      fail("a key point is missing");
    } catch (BundleException.Manifest error) {
      assertTrue(error.getMessage(), error.getMessage().contains("expected 6 key points of"));
    }
  }

  @Test
  public void namesThatAreNotThereAreRefused() throws IOException {
    Bundle bundle = Bundle.open(file());
    assertEquals(bundle.defaultVariant(), bundle.variant(null).name);
    assertTrue(bundle.manifestText().contains("\"" + bundle.defaultVariant() + "\""));
    try {
      bundle.model("int9");
      fail("int9 is no variant");
    } catch (BundleException.Variant error) {
      assertTrue(error.getMessage(), error.getMessage().contains(String.join(", ", bundle.variants())));
    }
    try {
      bundle.blob("models/other");
      fail("models/other is no blob");
    } catch (BundleException.Variant error) {
      assertEquals("bundle.variant", error.code());
    }
  }

  @Test
  public void filesThatAreNoBundlesAreRefused() throws IOException {
    File text = temporary.newFile();
    Files.write(text.toPath(), "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n".getBytes(StandardCharsets.US_ASCII));
    assertRefused(text, "bundle.container", "git lfs pull");
    assertRefused(temporary.newFile(), "bundle.container", "not a bundle");
    assertRefused(new File(temporary.getRoot(), "none"), "bundle.read", "no file");
    assertRefused(temporary.getRoot(), "bundle.read", "no file");
    File large = temporary.newFile();
    try (RandomAccessFile access = new RandomAccessFile(large, "rw")) {
      access.setLength((1L << 30) + 1); // sparse: takes no room
    }
    assertRefused(large, "bundle.read", "at most");
  }

  private static void assertRefused(File file, String code, String reason) {
    for (boolean mapped : new boolean[] {true, false}) {
      try {
        Bundle opened = mapped ? Bundle.open(file) : Bundle.read(file);
        fail(opened.source() + " was opened");
      } catch (BundleException error) {
        assertEquals(code, error.code());
        assertTrue(error.getMessage(), error.getMessage().contains(reason) && error.getMessage().contains(file.getPath()));
      }
    }
  }
}
