package org.pocketface.sdk.gallery;

/** What an import did: to how many people which. */
public final class Merged {
  private final int enrolled;
  private final int skipped;
  private final int replaced;
  private final int added;

  Merged(int enrolled, int skipped, int replaced, int added) {
    this.enrolled = enrolled;
    this.skipped = skipped;
    this.replaced = replaced;
    this.added = added;
  }

  /** Newly enrolled. */
  public int enrolled() {
    return enrolled;
  }

  /** Here already, and left as they were. */
  public int skipped() {
    return skipped;
  }

  /** Here already, and given the file's templates in place of theirs. */
  public int replaced() {
    return replaced;
  }

  /** Here already, and given the templates that they did not have. */
  public int added() {
    return added;
  }

  @Override
  public String toString() {
    return enrolled + " enrolled, " + skipped + " skipped, " + replaced + " replaced, " + added + " added";
  }
}
