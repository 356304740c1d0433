package org.pocketface.demo;

import java.util.ArrayDeque;
import java.util.concurrent.Executor;

/**
 * Hands frames from the camera's thread to the one that looks for faces, always the newest: a frame that nobody took before the next one
 * came is dropped, so a slow phone lags by one frame and never by a queue of them.
 *
 * <p>Three frames are reused for ever: one that is written, one that waits, one that is looked at. One thread writes: {@link #toWrite},
 * then {@link #publish}.
 */
public final class NewestFrame implements Runnable {
  static final int FRAMES = 3;

  /** What is done with a frame. */
  public interface Looker {
    /** Looks at {@code frame}, which stays as it is until this returns. Called on the executor, by one thread at a time. */
    void look(Frame frame);
  }

  private final Executor executor;
  private final Looker looker;
  private final ArrayDeque<Frame> spare = new ArrayDeque<Frame>();
  private Frame waiting;
  private boolean scheduled;
  private boolean stopped;
  private long dropped;

  /** Frames that are published are looked at on {@code executor}, which may serve others in between. */
  public NewestFrame(Executor executor, Looker looker) {
    this.executor = executor;
    this.looker = looker;
    for (int frame = 0; frame < FRAMES; frame++) {
      spare.push(new Frame());
    }
  }

  /**
   * A frame that nobody else holds, to be filled and given to {@link #publish}.
   *
   * @throws java.util.NoSuchElementException where the one before was not published
   */
  public synchronized Frame toWrite() {
    return spare.pop();
  }

  /** Makes {@code frame} the newest; one that waited is dropped. */
  public synchronized void publish(Frame frame) {
    if (waiting != null) {
      spare.push(waiting);
      dropped++;
    }
    waiting = frame;
    schedule();
  }

  /** From now on nothing is looked at; a look that has begun ends as it would. */
  public synchronized void stop() {
    stopped = true;
  }

  /** How many frames nobody looked at. */
  public synchronized long dropped() {
    return dropped;
  }

  /** Looks at one frame. The executor calls it. */
  @Override
  public void run() {
    Frame frame = take();
    if (frame == null) {
      return;
    }
    try {
      looker.look(frame);
    } finally {
      release(frame);
    }
  }

  private synchronized Frame take() {
    Frame frame = stopped ? null : waiting;
    if (frame != null) {
      waiting = null;
    }
    return frame;
  }

  private synchronized void release(Frame frame) {
    spare.push(frame);
    scheduled = false;
    schedule();
  }

  private void schedule() {
    if (waiting != null && !scheduled && !stopped) {
      scheduled = true;
      executor.execute(this);
    }
  }
}
