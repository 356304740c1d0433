package org.pocketface.sdk;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertTrue;
import static org.junit.Assert.fail;

import com.sun.management.ThreadMXBean;
import java.io.DataInputStream;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.zip.ZipEntry;
import java.util.zip.ZipFile;
import org.junit.Test;
import org.pocketface.sdk.manifest.Manifest;

/** Damaged bundles, manifests and packed models are refused with the error code that the Python runtime refuses them with. */
public class RefusedTest {
  private final Goldens goldens = Goldens.open();

  @Test
  public void whatThePythonRuntimeRefusesIsRefusedWithTheSameCode() throws IOException {
    List<String> differ = new ArrayList<>();
    int cases = 0;
    try (ZipFile zip = new ZipFile(goldens.file("refused.zip"))) {
      for (ZipEntry entry : Collections.list(zip.entries())) {
        byte[] data = read(zip, entry);
        String[] parts = entry.getName().split("/", 3);
        String code = code(parts[0], data);
        if (!code.equals(parts[1])) {
          differ.add(entry.getName() + ": got " + code);
        }
        cases++;
      }
    }
    assertTrue(cases + " cases", cases > 2000);
    assertEquals(Collections.emptyList(), differ);
  }

  @Test
  public void manyTablesTakeNoMoreMemoryThanIsStated() throws IOException {
    try (ZipFile zip = new ZipFile(goldens.file("refused.zip"))) {
      for (ZipEntry entry : Collections.list(zip.entries())) {
        if (entry.getName().startsWith("packed/accepted/") && entry.getName().endsWith("as many tables as there may be")) {
          byte[] data = read(zip, entry);
          ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
          long before = threads.getThreadAllocatedBytes(Thread.currentThread().getId());
          PackedModel.unpack(ByteBuffer.wrap(data));
          long taken = threads.getThreadAllocatedBytes(Thread.currentThread().getId()) - before;
          assertTrue(taken + " bytes", taken < 8 << 20); // the .tflite and the file are a few bytes
          return;
        }
      }
    }
    fail("refused.zip has no file of many tables");
  }

  private static byte[] read(ZipFile zip, ZipEntry entry) throws IOException {
    byte[] data = new byte[(int) entry.getSize()];
    try (DataInputStream stream = new DataInputStream(zip.getInputStream(entry))) {
      stream.readFully(data);
    }
    return data;
  }

  private static String code(String kind, byte[] data) {
    try {
      if (kind.equals("packed")) {
        PackedModel.unpack(ByteBuffer.wrap(data));
      } else if (kind.equals("level")) {
        ByteBuffer parts = ByteBuffer.wrap(data).order(ByteOrder.LITTLE_ENDIAN);
        int size = parts.getInt(0);
        LevelModel.rebuild(Buffers.part(parts, 4 + size, data.length - 4 - size), Buffers.part(parts, 4, size));
      } else if (kind.equals("manifest")) {
        Manifest.read(ByteBuffer.wrap(data), "test");
      } else {
        Bundle bundle = Bundle.parse(ByteBuffer.wrap(data), "test");
        for (String name : bundle.variants()) {
          bundle.model(name);
        }
      }
    } catch (PocketFaceException error) {
      assertEquals("one line", -1, error.getMessage().indexOf('\n'));
      return error.code();
    }
    return "accepted";
  }
}
