package org.pocketface.demo;

import java.util.ArrayDeque;

/**
 * Hands frames from the camera's thread to the one that looks for faces, always the newest: a frame that nobody took before the next one
 * came is dropped, so a slow phone lags by one frame and never by a queue of them.
 *
 * <p>Three frames are reused for ever: one that is written, one that waits, one that is looked at. One thread writes
 * ({@link #toWrite}, then {@link #publish}), one reads ({@link #take}, then {@link #release}).
 */
public final class NewestFrame {
    private static final int FRAMES = 3;

    private final ArrayDeque<Frame> spare = new ArrayDeque<Frame>();
    private Frame waiting;
    private long dropped;

    /** Three empty frames. */
    public NewestFrame() {
        for (int frame = 0; frame < FRAMES; frame++) {
            spare.push(new Frame());
        }
    }

    /**
     * A frame that nobody else holds, to be filled and given to {@link #publish}.
     *
     * @throws java.util.NoSuchElementException where frames were written or taken, and not published or released
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
    }

    /** The newest frame, or null where none came since the last. It stays as it is until {@link #release}. */
    public synchronized Frame take() {
        Frame frame = waiting;
        waiting = null;
        return frame;
    }

    /** Gives back a frame that was taken. */
    public synchronized void release(Frame frame) {
        spare.push(frame);
    }

    /** How many frames nobody looked at. */
    public synchronized long dropped() {
        return dropped;
    }
}
