package org.pocketface.sdk.gallery;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertNotEquals;
import static org.junit.Assert.assertTrue;
import static org.junit.Assert.fail;

import java.io.File;
import java.util.Arrays;
import java.util.Collection;
import java.util.List;
import java.util.Random;
import org.junit.Test;
import org.junit.runner.RunWith;
import org.junit.runners.Parameterized;
import org.junit.runners.Parameterized.Parameters;

/** Whatever the step at which a change is cut off, what is left is the gallery before it or the gallery after it. */
@RunWith(Parameterized.class)
public final class CrashTest {
  private static final File FILE = new File("/simulated/gallery.pfga").getAbsoluteFile();

  private interface Change {
    void apply(Gallery gallery);
  }

  private final Change change;

  public CrashTest(String name, Change change) {
    this.change = change;
  }

  @Parameters(name = "{0}")
  public static Collection<Object[]> changes() {
    Random random = new Random(5);
    List<float[]> templates = Samples.templates(random, Samples.FIRST, 2);
    List<float[]> others = Samples.templates(random, Samples.SECOND, 1);
    return Arrays.asList(
        new Object[] {"enrol", (Change) gallery -> gallery.enrol("Carol", Samples.FIRST, templates)},
        new Object[] {"add", (Change) gallery -> gallery.add(first(gallery), Samples.SECOND, others)},
        new Object[] {"re-enrol", (Change) gallery -> gallery.reEnrol(first(gallery), Samples.SECOND, others)},
        new Object[] {"rename", (Change) gallery -> gallery.rename(first(gallery), "Alicia")},
        new Object[] {"delete", (Change) gallery -> gallery.delete(first(gallery))},
        new Object[] {"delete all", (Change) Gallery::deleteAll});
  }

  private static String first(Gallery gallery) {
    return gallery.people().get(0).id();
  }

  private static Gallery filled(Disk disk, GalleryKey key) {
    Random random = new Random(4);
    Gallery gallery = new Gallery(FILE, key, disk);
    gallery.enrol("Alice", Samples.FIRST, Samples.templates(random, Samples.FIRST, 2));
    gallery.enrol("Bob", Samples.FIRST, Samples.templates(random, Samples.FIRST, 1));
    return gallery;
  }

  /** The number of steps that the change takes, and the contents before and after it. */
  private Object[] undisturbed() {
    SimulatedDisk disk = new SimulatedDisk();
    Gallery gallery = filled(disk, new HeldKey());
    String before = Samples.contents(gallery);
    disk.losePowerAt(Integer.MAX_VALUE);
    change.apply(gallery);
    String after = Samples.contents(gallery);
    assertNotEquals(before, after);
    return new Object[] {disk.steps(), before, after};
  }

  @Test
  public void lossOfPowerAtAnyStepLeavesTheOldOrTheNew() {
    Object[] whole = undisturbed();
    int steps = (Integer) whole[0];
    assertTrue("an empty test: " + steps + " steps", steps >= 4);
    for (int step = 0; step <= steps; step++) {
      SimulatedDisk disk = new SimulatedDisk();
      HeldKey key = new HeldKey();
      Gallery gallery = filled(disk, key);
      disk.losePowerAt(step);
      boolean acknowledged = false;
      try {
        change.apply(gallery);
        acknowledged = true;
      } catch (SimulatedDisk.PowerLoss expected) {
        // As it was to be.
      }
      assertEquals(step >= steps, acknowledged);
      for (SimulatedDisk left : disk.afterPowerLoss()) {
        checkLeft(left, key.copy(), acknowledged ? whole[2] : whole[1], whole[2], step);
      }
    }
  }

  private static void checkLeft(SimulatedDisk left, HeldKey key, Object before, Object after, int step) {
    String contents = Samples.contents(new Gallery(FILE, key, left));
    assertTrue("step " + step + " left " + contents, contents.equals(before) || contents.equals(after));
    // Nothing is in the way of going on, and what was left over from the change is gone.
    new Gallery(FILE, key, left).enrol("Dave", Samples.FIRST, Samples.templates(new Random(6), Samples.FIRST, 1));
    assertTrue(Samples.contents(new Gallery(FILE, key, left)).startsWith(contents + "Dave:"));
    assertFalse(left.exists(new File(FILE + ".new")) || left.exists(new File(FILE + ".deleted")));
  }

  @Test
  public void aFullDiskAtAnyStepIsReportedAndLeavesTheOldOrTheNew() {
    Object[] whole = undisturbed();
    for (int step = 0; step < (Integer) whole[0]; step++) {
      SimulatedDisk disk = new SimulatedDisk();
      HeldKey key = new HeldKey();
      Gallery gallery = filled(disk, key);
      disk.failFrom(step);
      try {
        change.apply(gallery);
        fail("step " + step + " failed without a word");
      } catch (GalleryException.Write expected) {
        assertEquals("gallery.write", expected.code());
      }
      disk.mend();
      String contents = Samples.contents(gallery);
      assertTrue("step " + step, contents.equals(whole[1]) || contents.equals(whole[2]));
      assertEquals("what it says is what the file holds", contents, Samples.contents(new Gallery(FILE, key, disk)));
      gallery.enrol("Dave", Samples.FIRST, Samples.templates(new Random(6), Samples.FIRST, 1));
      assertEquals(Samples.contents(gallery), Samples.contents(new Gallery(FILE, key, disk)));
    }
  }

}
