package org.pocketface.sdk.gallery;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertTrue;

import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.junit.Rule;
import org.junit.Test;
import org.junit.rules.TemporaryFolder;

/** A process that is killed (SIGKILL) while it writes loses nothing that it acknowledged, and leaves nobody half. */
public final class KillTest {
  private static final int CYCLES = Integer.getInteger("pocketface.kills", 24);

  @Rule public final TemporaryFolder folder = new TemporaryFolder();

  /** Enrols people who are numbered from where the gallery ends, for ever, and prints each number once they are enrolled. */
  public static void main(String[] arguments) throws Exception {
    HeldKey key = new HeldKey();
    key.create();
    try (Gallery gallery = Gallery.open(new File(arguments[0]), key)) {
      for (int number = gallery.people().size(); ; number++) {
        gallery.enrol("person " + number, Samples.FIRST, Samples.templates(new Random(number), Samples.FIRST, 3));
        System.out.println(number);
        System.out.flush();
      }
    }
  }

  @Test
  public void killedWhileItWritesItLosesNothingAcknowledged() throws Exception {
    File file = new File(folder.getRoot(), "gallery.pfga");
    Random random = new Random(3);
    int acknowledged = 0;
    int unacknowledged = 0;
    for (int cycle = 0; cycle < CYCLES; cycle++) {
      int before = acknowledged;
      acknowledged = Math.max(acknowledged, killedAfter(file, 1 + random.nextInt(8), random.nextInt(3000)));
      assertTrue("cycle " + cycle + " wrote nothing", acknowledged > before);
      HeldKey key = new HeldKey();
      key.create();
      try (Gallery gallery = Gallery.open(file, key)) {
        int people = gallery.people().size();
        assertTrue("cycle " + cycle + ": " + acknowledged + " acknowledged, " + people + " there",
            people == acknowledged || people == acknowledged + 1);
        for (int number = 0; number < people; number++) {
          assertEquals("person " + number, gallery.people().get(number).name());
          assertEquals(3, gallery.people().get(number).templates().size());
        }
        unacknowledged += people - acknowledged;
        acknowledged = people;
      }
    }
    System.out.println("killed " + CYCLES + " times, " + acknowledged + " people, " + unacknowledged + " written but not acknowledged");
  }

  /** Kills a writer some microseconds after it acknowledged `count` people; gives how many people there are by its word. */
  private int killedAfter(File file, int count, int microseconds) throws IOException, InterruptedException {
    List<String> command = new ArrayList<>();
    command.add(new File(System.getProperty("java.home"), "bin/java").getPath());
    command.add("-XX:TieredStopAtLevel=1");
    command.add("-XX:+UseSerialGC");
    command.add("-cp");
    command.add(System.getProperty("surefire.test.class.path", System.getProperty("java.class.path")));
    command.add(KillTest.class.getName());
    command.add(file.getPath());
    // What it says goes to a file, since the pipe of a process that is killed is closed with what is in it.
    File said = folder.newFile();
    Process writer =
        new ProcessBuilder(command).redirectOutput(said).redirectError(ProcessBuilder.Redirect.INHERIT).start();
    try {
      while (acknowledged(said).size() < count) {
        assertTrue("the writer ended by itself", writer.isAlive());
        Thread.sleep(1);
      }
      long until = System.nanoTime() + 1000L * microseconds;
      while (System.nanoTime() < until) {
        Thread.yield();
      }
    } finally {
      writer.destroyForcibly();
    }
    assertTrue(writer.waitFor(60, TimeUnit.SECONDS));
    assertEquals("killed by SIGKILL", 128 + 9, writer.exitValue());
    List<Integer> numbers = acknowledged(said);
    return numbers.get(numbers.size() - 1) + 1;
  }

  /** The numbers on the whole lines of `said`. */
  private static List<Integer> acknowledged(File said) throws IOException {
    String text = new String(Files.readAllBytes(said.toPath()), StandardCharsets.US_ASCII);
    List<Integer> numbers = new ArrayList<>();
    for (int from = 0, to = text.indexOf('\n'); to >= 0; from = to + 1, to = text.indexOf('\n', from)) {
      numbers.add(Integer.parseInt(text.substring(from, to).trim()));
    }
    return numbers;
  }
}
