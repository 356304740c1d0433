package org.pocketface.sdk;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import org.pocketface.sdk.manifest.Anchors;
import org.pocketface.sdk.manifest.DetectorSettings;

/**
 * The mathematics of the detector (docs/photograph-to-embedding.md, section 3; arXiv:1907.05047): letterbox, anchors, decoding, weighted
 * suppression. Points are in pixels of the input counted from its corner, until they are placed in the photograph.
 */
final class BlazeFace {
  private final DetectorSettings settings;
  private final double[][] centres;

  BlazeFace(DetectorSettings settings) {
    this.settings = settings;
    centres = centres(settings);
  }

  /** How many anchors there are: told without making them, since a manifest may state more than memory holds. */
  static long anchors(DetectorSettings settings) {
    Anchors anchors = settings.anchors;
    long count = 0;
    for (int map = 0; map < anchors.strides.size(); map++) {
      int stride = anchors.strides.get(map);
      count += (long) (settings.input.height / stride) * (settings.input.width / stride) * anchors.perCell.get(map);
    }
    return count;
  }

  /** How many numbers the model gives for an anchor: centre, size, key points. */
  static int values(DetectorSettings settings) {
    return 4 + 2 * settings.keyPoints.size();
  }

  /** From pixels of the detector's input to those of a photograph that is fitted into it, whole and centred. */
  static Affine letterbox(int photoHeight, int photoWidth, int height, int width) {
    double scale = Math.max((double) photoHeight / height, (double) photoWidth / width);
    double shiftX = 0.5 * scale - 0.5 - (width * scale - photoWidth) / 2;
    double shiftY = 0.5 * scale - 0.5 - (height * scale - photoHeight) / 2;
    return new Affine(scale, 0, shiftX, 0, scale, shiftY);
  }

  /** {@code [N][2]}: the anchors' centres (x, y), in the order of the model's outputs. */
  private static double[][] centres(DetectorSettings settings) {
    Anchors anchors = settings.anchors;
    List<double[]> centres = new ArrayList<>();
    for (int map = 0; map < anchors.strides.size(); map++) {
      int stride = anchors.strides.get(map);
      for (int row = 0; row < settings.input.height / stride; row++) {
        for (int column = 0; column < settings.input.width / stride; column++) {
          for (int anchor = 0; anchor < anchors.perCell.get(map); anchor++) {
            centres.add(new double[] {(column + anchors.offset) * stride, (row + anchors.offset) * stride});
          }
        }
      }
    }
    return centres.toArray(new double[0][]);
  }

  /** A face: {@code points} are the upper left and the lower right corner of its box, then its key points. */
  static final class Candidate implements Comparable<Candidate> {
    final double[][] points;
    final double score;

    Candidate(double[][] points, double score) {
      this.points = points;
      this.score = score;
    }

    /** Best first. */
    @Override
    public int compareTo(Candidate other) {
      return Double.compare(other.score, score);
    }

    /** From input pixels, counted from the corner, to the photograph's, counted from pixel centres. */
    Detection placed(Affine toPhotograph) {
      double[][] placed = new double[points.length][];
      for (int point = 0; point < points.length; point++) {
        placed[point] =
            new double[] {
              toPhotograph.a * (points[point][0] - 0.5) + toPhotograph.c, toPhotograph.a * (points[point][1] - 0.5) + toPhotograph.f
            };
      }
      double[] corners = {placed[0][0], placed[0][1], placed[1][0], placed[1][1]};
      return new Detection(corners, score, Arrays.copyOfRange(placed, 2, placed.length));
    }
  }

  /** The faces of {@code boxes} {@code [N, values]} and {@code logits} {@code [N]}, best first. */
  List<Candidate> decode(float[] boxes, float[] logits) {
    List<Candidate> candidates = new ArrayList<>();
    double limit = settings.scoreLimit;
    for (int anchor = 0; anchor < centres.length; anchor++) {
      double score = 1 / (1 + Math.exp(-Math.min(Math.max(logits[anchor], -limit), limit)));
      if (score >= settings.minScore) {
        candidates.add(new Candidate(points(boxes, anchor), score));
      }
    }
    Collections.sort(candidates); // stable: equal scores stay in the anchors' order
    return suppress(candidates);
  }

  private double[][] points(float[] boxes, int anchor) {
    int at = anchor * values(settings);
    double[] centre = centres[anchor];
    double x = boxes[at] + centre[0];
    double y = boxes[at + 1] + centre[1];
    double halfWidth = boxes[at + 2] / 2.0;
    double halfHeight = boxes[at + 3] / 2.0;
    double[][] points = new double[2 + settings.keyPoints.size()][];
    points[0] = new double[] {x - halfWidth, y - halfHeight};
    points[1] = new double[] {x + halfWidth, y + halfHeight};
    for (int point = 2; point < points.length; point++) {
      points[point] = new double[] {boxes[at + 2 * point] + centre[0], boxes[at + 2 * point + 1] + centre[1]};
    }
    return points;
  }

  /**
   * Weighted non-maximum suppression (arXiv:1907.05047, section 3.3): the best box and all that overlap it by more than
   * {@code minOverlap} (intersection over union) become one, the mean of their points weighted by score, with the best score.
   */
  private List<Candidate> suppress(List<Candidate> sorted) {
    List<Candidate> merged = new ArrayList<>();
    List<Candidate> left = sorted;
    while (!left.isEmpty()) {
      Candidate best = left.get(0);
      List<Candidate> group = new ArrayList<>();
      List<Candidate> rest = new ArrayList<>();
      for (Candidate other : left) {
        // A box without area does not even overlap itself.
        boolean same = other == best || overlap(best.points, other.points) > settings.minOverlap;
        (same ? group : rest).add(other);
      }
      merged.add(mean(group, best.score));
      left = rest;
    }
    return merged;
  }

  private static Candidate mean(List<Candidate> group, double score) {
    double sum = 0;
    for (Candidate candidate : group) {
      sum += candidate.score;
    }
    double[][] points = new double[group.get(0).points.length][2];
    for (Candidate candidate : group) {
      double weight = candidate.score / sum;
      for (int point = 0; point < points.length; point++) {
        points[point][0] += weight * candidate.points[point][0];
        points[point][1] += weight * candidate.points[point][1];
      }
    }
    return new Candidate(points, score);
  }

  /** Intersection over union of two boxes, whose corners are their first two points. */
  static double overlap(double[][] one, double[][] other) {
    double width = Math.min(one[1][0], other[1][0]) - Math.max(one[0][0], other[0][0]);
    double height = Math.min(one[1][1], other[1][1]) - Math.max(one[0][1], other[0][1]);
    double common = Math.max(width, 0) * Math.max(height, 0);
    double union = area(one) + area(other) - common;
    return union > 0 ? common / union : 0;
  }

  private static double area(double[][] points) {
    return Math.max(points[1][0] - points[0][0], 0) * Math.max(points[1][1] - points[0][1], 0);
  }
}
