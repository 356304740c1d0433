package org.pocketface.demo;

import java.util.Collections;
import java.util.List;

/** What one frame showed, and how long each step took. */
public final class Sighting {
  private final List<SeenFace> faces;
  private final int frameHeight;
  private final int frameWidth;
  private final boolean front;
  private final long milliseconds;
  private final double findMilliseconds;
  private final double embedMilliseconds;
  private final double matchMilliseconds;

  /** {@code faces} are largest first; the times are those of all faces together. */
  public Sighting(Frame frame, List<SeenFace> faces, double findMilliseconds, double embedMilliseconds, double matchMilliseconds) {
    this.faces = Collections.unmodifiableList(faces);
    frameHeight = frame.pixels().height();
    frameWidth = frame.pixels().width();
    front = frame.front();
    milliseconds = frame.milliseconds();
    this.findMilliseconds = findMilliseconds;
    this.embedMilliseconds = embedMilliseconds;
    this.matchMilliseconds = matchMilliseconds;
  }

  /** Largest first. */
  public List<SeenFace> faces() {
    return faces;
  }

  /** Rows of the frame. */
  public int frameHeight() {
    return frameHeight;
  }

  /** Columns of the frame. */
  public int frameWidth() {
    return frameWidth;
  }

  /** Whether the camera looks at the phone's user. */
  public boolean front() {
    return front;
  }

  /** When the frame was taken, in milliseconds of a clock that only goes on. */
  public long milliseconds() {
    return milliseconds;
  }

  /** Detection and alignment. */
  public double findMilliseconds() {
    return findMilliseconds;
  }

  /** Embedding all faces. */
  public double embedMilliseconds() {
    return embedMilliseconds;
  }

  /** Comparing them with every template. */
  public double matchMilliseconds() {
    return matchMilliseconds;
  }
}
