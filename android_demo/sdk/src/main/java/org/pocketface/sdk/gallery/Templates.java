package org.pocketface.sdk.gallery;

import java.io.Closeable;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.locks.ReadWriteLock;
import java.util.concurrent.locks.ReentrantReadWriteLock;
import org.jetbrains.annotations.NotNull;

/**
 * Templates of one model in one block of memory, and whose they are: what a {@link Matcher} searches. It does not change, and may be
 * shared between threads. Closing it fills it with zeros.
 */
public final class Templates implements Closeable {
  /** Templates side by side in memory: few enough that their sums stay in the processor's first cache. */
  private static final int BLOCK = 1024;

  private final TemplateModel model;
  private final List<String> people;
  private final ReadWriteLock lock = new ReentrantReadWriteLock();
  /**
   * Block by block, in each the first number of every template, then the second: so a search adds up many templates at once, which
   * the virtual machine does with vector instructions, as it may not reorder the sum of one.
   */
  private final float[] numbers;
  /** `[size()]`: the index in `people` of each row's owner. */
  private final int[] owners;

  private boolean closed;

  private Templates(TemplateModel model, List<String> people, float[] numbers, int[] owners) {
    this.model = model;
    this.people = people;
    this.numbers = numbers;
    this.owners = owners;
  }

  /**
   * Templates from anywhere; {@link Gallery#templatesFor} gives those of a gallery.
   *
   * @param owners for each template the id of the person; several templates may be one person's
   * @param vectors as many, each an embedding [model.size()] of length 1; copied
   * @throws GalleryException.Dimension for a template of another size, and for other numbers of owners than of vectors
   * @throws GalleryException.Vector for NaN and infinity
   * @throws GalleryException.Normalisation for a length other than 1
   * @throws GalleryException.Limit where they are too many for one block of memory
   */
  @NotNull
  public static Templates of(@NotNull TemplateModel model, @NotNull List<String> owners, @NotNull List<float[]> vectors) {
    if (owners.size() != vectors.size()) {
      throw new GalleryException.Dimension("templates: expected an owner for each, got " + owners.size() + " for " + vectors.size());
    }
    if ((long) vectors.size() * model.size() > Integer.MAX_VALUE - 8) {
      throw new GalleryException.Limit("templates: expected at most 2^31 numbers, got " + vectors.size() + " times " + model.size());
    }
    float[] numbers = new float[vectors.size() * model.size()];
    int[] indices = new int[vectors.size()];
    Map<String, Integer> people = new LinkedHashMap<String, Integer>();
    for (int row = 0; row < indices.length; row++) {
      float[] vector = vectors.get(row);
      GalleryException wrong = Entry.wrongWithTemplate(model, vector);
      if (wrong != null) {
        throw wrong;
      }
      for (int at = 0; at < vector.length; at++) {
        numbers[place(row, at, indices.length, vector.length)] = vector[at];
      }
      Integer known = people.get(owners.get(row));
      if (known == null) {
        known = people.size();
        people.put(owners.get(row), known);
      }
      indices[row] = known;
    }
    return new Templates(model, new ArrayList<String>(people.keySet()), numbers, indices);
  }

  /** The model that made them. */
  @NotNull
  public TemplateModel model() {
    return model;
  }

  /** How many templates there are. */
  public int size() {
    return owners.length;
  }

  /** How many people they are of. */
  public int people() {
    return people.size();
  }

  /** The id of the person whose template number {@code index} is; templates are in the order of enrolment. */
  @NotNull
  public String owner(int index) {
    return people.get(owners[index]);
  }

  /**
   * A copy of template number {@code index}, [model.size()], to take it elsewhere: fill it with zeros when done.
   *
   * @throws GalleryException.Closed where the templates were closed
   */
  @NotNull
  public float[] template(int index) {
    lock.readLock().lock();
    try {
      checkOpen();
      float[] template = new float[model.size()];
      for (int at = 0; at < template.length; at++) {
        template[at] = numbers[place(index, at, owners.length, template.length)];
      }
      return template;
    } finally {
      lock.readLock().unlock();
    }
  }

  /** The id of person number {@code index}, in the order of their first templates. */
  String person(int index) {
    return people.get(index);
  }

  /**
   * The index of the person with `id`.
   *
   * @throws GalleryException.NoPerson where nobody of that id has a template here
   */
  int indexOf(String id) {
    int index = people.indexOf(id);
    if (index < 0) {
      throw new GalleryException.NoPerson("match: expected the id of somebody with a template of " + model + ", got another");
    }
    return index;
  }

  /** How many templates are of person number `index`. */
  int templatesOf(int index) {
    int count = 0;
    for (int owner : owners) {
      count += owner == index ? 1 : 0;
    }
    return count;
  }

  /**
   * For each person the largest similarity of any of their templates to `probe` `[model.size()]`, of length 1: `[people()]`, −1 to 1.
   */
  float[] similarities(float[] probe) {
    float[] best = new float[people.size()];
    Arrays.fill(best, -1f);
    lock.readLock().lock();
    try {
      checkOpen();
      float[] sums = new float[Math.min(BLOCK, owners.length)];
      for (int first = 0; first < owners.length; first += BLOCK) {
        int width = Math.min(BLOCK, owners.length - first);
        Arrays.fill(sums, 0f);
        for (int at = 0; at < probe.length; at++) {
          add(numbers, first * probe.length + at * width, probe[at], sums, width);
        }
        for (int row = 0; row < width; row++) {
          int owner = owners[first + row];
          best[owner] = Math.max(best[owner], sums[row]);
        }
      }
    } finally {
      lock.readLock().unlock();
    }
    for (int index = 0; index < best.length; index++) {
      best[index] = Math.min(best[index], 1f);
    }
    return best;
  }

  /** The same for person number `index` alone. */
  float similarity(int index, float[] probe) {
    float best = -1;
    lock.readLock().lock();
    try {
      checkOpen();
      for (int row = 0; row < owners.length; row++) {
        if (owners[row] == index) {
          float sum = 0;
          for (int at = 0; at < probe.length; at++) {
            sum += probe[at] * numbers[place(row, at, owners.length, probe.length)];
          }
          best = Math.max(best, sum);
        }
      }
    } finally {
      lock.readLock().unlock();
    }
    return Math.min(best, 1f);
  }

  private void checkOpen() {
    if (closed) {
      throw new GalleryException.Closed("templates: expected them open, they were closed; take them from the gallery again");
    }
  }

  /** Adds `factor` times the `width` numbers from `from` on to `sums`. A method of its own, since short ones are compiled best. */
  private static void add(float[] numbers, int from, float factor, float[] sums, int width) {
    for (int row = 0; row < width; row++) {
      sums[row] += factor * numbers[from + row];
    }
  }

  /** Where number `at` of template `row` lies, of `count` templates of `size` numbers. */
  private static int place(int row, int at, int count, int size) {
    int first = row - row % BLOCK;
    return first * size + at * Math.min(BLOCK, count - first) + row - first;
  }

  /** Waits for searches that are under way, then fills the templates with zeros. */
  @Override
  public void close() {
    lock.writeLock().lock();
    try {
      closed = true;
      Arrays.fill(numbers, 0f);
    } finally {
      lock.writeLock().unlock();
    }
  }

  /** Says nothing of anybody, so that a log does not either. */
  @Override
  public String toString() {
    return "Templates";
  }
}
