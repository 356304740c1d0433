package org.pocketface.demo;

/** The enrolled person whose template is most like a face. */
public final class Nearest {
  private final String id;
  private final String name;
  private final double similarity;

  /** {@code similarity} is the cosine of the two embeddings. */
  public Nearest(String id, String name, double similarity) {
    this.id = id;
    this.name = name;
    this.similarity = similarity;
  }

  /** The person's id in the gallery. */
  public String id() {
    return id;
  }

  /** The person's name. */
  public String name() {
    return name;
  }

  /** Cosine, -1 to 1. */
  public double similarity() {
    return similarity;
  }
}
