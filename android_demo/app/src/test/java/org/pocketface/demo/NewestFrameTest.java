package org.pocketface.demo;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertThrows;
import static org.junit.Assert.assertTrue;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executor;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.Test;

public final class NewestFrameTest {
  /** Runs what it was given when it is told to. */
  private static final class Later implements Executor {
    final ArrayDeque<Runnable> tasks = new ArrayDeque<>();

    @Override
    public void execute(Runnable task) {
      tasks.add(task);
    }

    void runOne() {
      tasks.remove().run();
    }
  }

  private final Later later = new Later();
  private final List<Long> seen = new ArrayList<>();
  private final NewestFrame frames = new NewestFrame(later, frame -> seen.add(frame.milliseconds()));

  @Test
  public void onlyTheNewestOfFramesThatCameMeanwhileIsLookedAt() {
    publish(1);
    publish(2);
    publish(3);
    assertEquals(1, later.tasks.size());
    later.runOne();
    assertEquals(Collections.singletonList(3L), seen);
    assertEquals(2, frames.dropped());
    assertTrue(later.tasks.isEmpty());
  }

  @Test
  public void aFrameThatComesWhileOneIsLookedAtWaitsItsTurn() {
    NewestFrame[] slow = new NewestFrame[1];
    slow[0] = new NewestFrame(later, frame -> {
      seen.add(frame.milliseconds());
      if (seen.size() == 1) {
        publish(slow[0], 2);
        publish(slow[0], 3);
        assertTrue(later.tasks.isEmpty());
        assertEquals(1, frame.milliseconds()); // nobody wrote to the one that is looked at
      }
    });
    publish(slow[0], 1);
    later.runOne();
    later.runOne();
    assertEquals(java.util.Arrays.asList(1L, 3L), seen);
  }

  @Test
  public void afterAStopNothingIsLookedAt() {
    publish(1);
    frames.stop();
    later.runOne();
    publish(2);
    assertTrue(later.tasks.isEmpty());
    assertTrue(seen.isEmpty());
  }

  @Test
  public void aLookThatFailsGivesItsFrameBack() {
    NewestFrame failing = new NewestFrame(later, frame -> {
      throw new IllegalStateException("as a test wants it");
    });
    for (int frame = 0; frame < 10; frame++) {
      publish(failing, frame);
      assertThrows(IllegalStateException.class, later::runOne);
    }
  }

  @Test
  public void aWriterThatPublishesNothingIsStopped() {
    for (int frame = 0; frame < 3; frame++) {
      frames.toWrite();
    }
    assertThrows(NoSuchElementException.class, frames::toWrite);
  }

  @Test
  public void aSlowLookerNeverSeesAFrameThatChangesNorAnOlderOne() throws InterruptedException {
    ExecutorService executor = Executors.newSingleThreadExecutor();
    AtomicBoolean changed = new AtomicBoolean();
    List<Long> looked = Collections.synchronizedList(new ArrayList<>());
    CountDownLatch last = new CountDownLatch(1);
    NewestFrame shared = new NewestFrame(executor, frame -> {
      byte first = frame.pixels().rgb()[0];
      for (byte value : frame.pixels().rgb()) {
        changed.compareAndSet(false, value != first);
      }
      looked.add(frame.milliseconds());
      if (frame.milliseconds() == 2000) {
        last.countDown();
      }
    });
    for (int number = 1; number <= 2000; number++) {
      Frame frame = shared.toWrite();
      java.util.Arrays.fill(frame.reuse(40, 40, true, number).rgb(), (byte) number);
      shared.publish(frame);
    }
    assertTrue(last.await(20, TimeUnit.SECONDS));
    executor.shutdown();
    assertFalse(changed.get());
    for (int at = 1; at < looked.size(); at++) {
      assertTrue(looked.get(at - 1) < looked.get(at));
    }
    assertEquals(2000, looked.size() + shared.dropped());
  }

  private void publish(long milliseconds) {
    publish(frames, milliseconds);
  }

  private static void publish(NewestFrame to, long milliseconds) {
    Frame frame = to.toWrite();
    frame.reuse(1, 1, true, milliseconds);
    to.publish(frame);
  }
}
