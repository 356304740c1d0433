package org.pocketface.demo;

import java.util.List;

/** How near embeddings are to the golden ones. */
final class Closeness {
  private double minCosine = 1;
  private double maxAbs;

  /** {@code golden} {@code [N × D]}, row by row, and {@code seen} {@code [N][D]}. */
  Closeness(float[] golden, List<float[]> seen) {
    int at = 0;
    for (float[] embedding : seen) {
      double dot = 0;
      double goldenSquares = 0;
      double squares = 0;
      for (float value : embedding) {
        double stated = golden[at++];
        dot += stated * value;
        goldenSquares += stated * stated;
        squares += (double) value * value;
        maxAbs = Math.max(maxAbs, Math.abs(stated - value));
      }
      minCosine = Math.min(minCosine, dot / Math.sqrt(goldenSquares * squares));
    }
  }

  /** The least cosine of an embedding with its golden one; 1 where there is none, NaN where one has no direction. */
  double minCosine() {
    return minCosine;
  }

  /** The largest difference of a component. */
  double maxAbs() {
    return maxAbs;
  }
}
