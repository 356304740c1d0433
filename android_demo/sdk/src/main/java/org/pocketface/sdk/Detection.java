package org.pocketface.sdk;

import java.util.Comparator;
import org.jetbrains.annotations.NotNull;

/** A face that was found, in pixels of the photograph counted from pixel centres; it may reach past the photograph. */
public final class Detection {
  /** By area, then by score, then, as of faces that are each other's copies, by box: the same order in every language. */
  static final Comparator<Detection> LARGEST_FIRST =
      new Comparator<Detection>() {
        @Override
        public int compare(Detection one, Detection other) {
          double[][] pairs = {
            {other.area(), one.area()}, {other.score, one.score}, {one.left, other.left}, {one.top, other.top}, {one.right, other.right},
            {one.bottom, other.bottom}
          };
          for (double[] pair : pairs) {
            int order = Double.compare(pair[0], pair[1]);
            if (order != 0) {
              return order;
            }
          }
          return 0;
        }
      };

  /** Sides of the face's box. */
  public final double left, top, right, bottom;

  /** How sure the detector is, 0 to 1. */
  public final double score;

  private final double[][] keyPoints;

  Detection(double[] corners, double score, double[][] keyPoints) {
    this.left = corners[0];
    this.top = corners[1];
    this.right = corners[2];
    this.bottom = corners[3];
    this.score = score;
    this.keyPoints = keyPoints;
  }

  /** {@code [K][2]}: x, y of each key point, in the order of the manifest's {@code detector.keyPoints}; a copy. */
  @NotNull
  public double[][] keyPoints() {
    double[][] copy = new double[keyPoints.length][];
    for (int point = 0; point < copy.length; point++) {
      copy[point] = keyPoints[point].clone();
    }
    return copy;
  }

  /** Whether it lies where a crop can still be told: {@link Aligner#FARTHEST}. */
  boolean near() {
    return Aligner.near(new double[] {left, top, right, bottom}) && Aligner.near(keyPoints);
  }

  /** Pixels. */
  public double area() {
    return Math.max(0, right - left) * Math.max(0, bottom - top);
  }
}
