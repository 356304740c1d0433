package org.pocketface.sdk.gallery;

import java.io.Closeable;
import java.io.File;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import org.jetbrains.annotations.NotNull;

/**
 * Who is enrolled: people, their names and their templates, in one encrypted file (docs/gallery-format.md). No pictures.
 *
 * <p>Every change writes the whole file anew and puts it in the place of the old one at once: when a method returns, the change lasts;
 * where it throws, or the phone loses power, the file is the one before the change or the one after it. May be shared between threads
 * and opened more than once, by several processes too: each call sees what the file holds by then. Every method reads or writes the
 * file, so none belongs on a thread that draws.
 *
 * <p>Every method throws {@link GalleryException.Closed} after {@link #close}, and, as the file may have changed, what {@link #open}
 * throws. Those that change something throw {@link GalleryException.Write} where the file cannot be written, {@link
 * GalleryException.Key} where the key cannot be used and {@link GalleryException.Limit} where it would hold too much.
 */
public final class Gallery implements Closeable {
  private final GalleryStore store;
  private List<Entry> entries = Collections.emptyList();
  /** The header of the file that `entries` are from. No two files have the same. */
  private byte[] seen = GalleryStore.NO_FILE;
  private boolean closed;

  Gallery(File file, GalleryKey key, Disk disk) {
    store = new GalleryStore(file, key, disk);
    try (Closeable lock = store.lock()) {
      load();
    } catch (IOException e) {
      throw store.cannotRead(e);
    }
  }

  /**
   * Opens the gallery in {@code file}. Where there is no such file it is empty, and the first change writes the file; its folder must
   * be there. Beside it lie {@code FILE.lock}, which is empty, and while it is being written {@code FILE.new}.
   *
   * @throws GalleryException.Read where the file cannot be read
   * @throws GalleryException.Format where it is no gallery, or was cut off
   * @throws GalleryException.Version where a later release wrote it
   * @throws GalleryException.Limit where it is too large
   * @throws GalleryException.Key where the key is gone or refused: the file came from another phone, or the key was deleted
   * @throws GalleryException.Authentication where any bit of it was changed, or it was written with another key
   */
  @NotNull
  public static Gallery open(@NotNull File file, @NotNull GalleryKey key) {
    return new Gallery(file, key, new FileDisk());
  }

  /**
   * Deletes a gallery, the key first of all what can be, without opening it: the way out where it cannot be opened any more.
   *
   * @throws GalleryException.Write where the file cannot be deleted
   * @throws GalleryException.Key where the key cannot be deleted; the next {@link #open} tries that again
   */
  public static void destroy(@NotNull File file, @NotNull GalleryKey key) {
    new GalleryStore(file, key, new FileDisk()).destroy();
  }

  /** Everybody, in the order of enrolment. */
  @NotNull
  public synchronized List<Person> people() {
    refresh();
    List<Person> people = new ArrayList<Person>(entries.size());
    for (Entry entry : entries) {
      people.add(entry.person());
    }
    return people;
  }

  /**
   * The person with {@code id}.
   *
   * @throws GalleryException.NoPerson
   */
  @NotNull
  public synchronized Person person(@NotNull String id) {
    refresh();
    return entries.get(indexOf(id)).person();
  }

  /**
   * The person of that name, which no two have.
   *
   * @throws GalleryException.NoPerson
   * @throws GalleryException.Name
   */
  @NotNull
  public synchronized Person named(@NotNull String name) {
    String normal = Entry.checkName(name);
    refresh();
    for (Entry entry : entries) {
      if (entry.name.equals(normal)) {
        return entry.person();
      }
    }
    throw new GalleryException.NoPerson("gallery: expected the name of somebody who is enrolled, got another; people() gives them");
  }

  /**
   * Who has no template of any of {@code currentModels} (sha256 of .tflites): they are to be enrolled again, by {@link #reEnrol}. Until
   * then an app that still carries their old model goes on matching them with its embeddings: {@link #templatesFor} the old model.
   */
  @NotNull
  public synchronized List<Person> enrolAgain(@NotNull Collection<String> currentModels) {
    refresh();
    List<Person> people = new ArrayList<Person>();
    for (Entry entry : entries) {
      boolean current = false;
      for (String sha256 : currentModels) {
        current |= entry.has(sha256);
      }
      if (!current) {
        people.add(entry.person());
      }
    }
    return people;
  }

  /** The models that templates are of, in the order of their first use. */
  @NotNull
  public synchronized List<TemplateModel> models() {
    refresh();
    List<TemplateModel> models = new ArrayList<TemplateModel>();
    for (Entry entry : entries) {
      for (Entry.Vector vector : entry.vectors) {
        if (!models.contains(vector.model)) {
          models.add(vector.model);
        }
      }
    }
    return models;
  }

  /**
   * A copy of all templates that {@code model} made, to match against: only what one model made can be compared. Of a model that
   * nobody has a template of, none. Close it when done.
   *
   * @throws GalleryException.Model where templates of another size are there from a model of that sha256
   */
  @NotNull
  public synchronized Templates templatesFor(@NotNull TemplateModel model) {
    refresh();
    checkModel(model);
    List<String> people = new ArrayList<String>();
    List<float[]> vectors = new ArrayList<float[]>();
    for (Entry entry : entries) {
      for (Entry.Vector vector : entry.vectors) {
        if (vector.model.equals(model)) {
          people.add(entry.id.toString());
          vectors.add(vector.numbers);
        }
      }
    }
    return Templates.of(model, people, vectors);
  }

  /**
   * Enrols somebody new.
   *
   * @param name one line, 1 to 255 bytes of UTF-8; kept in normal form C, without white space around it
   * @param templates at least one embedding [model.size()] of length 1; copied
   * @throws GalleryException.Name
   * @throws GalleryException.Duplicate where somebody has that name: give another one, or {@link #add} to that person
   * @throws GalleryException.Dimension for a template of another size than the model's
   * @throws GalleryException.Vector for none, and for NaN and infinity
   * @throws GalleryException.Normalisation for a length other than 1
   * @throws GalleryException.Model where templates of another size are there from a model of that sha256
   */
  @NotNull
  public Person enrol(@NotNull String name, @NotNull TemplateModel model, @NotNull Collection<float[]> templates) {
    return enrol(name, model, templates, Collections.<String, String>emptyMap());
  }

  /**
   * Enrols somebody new, with {@code metadata}: texts of the app's own by name, at most 65,535. Errors are those of the other
   * {@code enrol}.
   */
  @NotNull
  public synchronized Person enrol(@NotNull String name, @NotNull TemplateModel model, @NotNull Collection<float[]> templates,
      @NotNull Map<String, String> metadata) {
    long now = System.currentTimeMillis();
    String normal = Entry.checkName(name);
    Entry.checkMetadata(metadata);
    Entry made = new Entry(UUID.randomUUID(), normal, now, metadata, vectors(model, templates, now));
    try (Closeable lock = lock()) {
      checkFree(normal, null);
      checkModel(model);
      List<Entry> next = new ArrayList<Entry>(entries);
      next.add(made);
      commit(next);
      return made.person();
    } catch (IOException e) {
      throw store.cannotWrite(e);
    }
  }

  /**
   * Gives a person more templates. Errors are those of {@link #enrol} and {@link GalleryException.NoPerson}.
   *
   * @param templates at least one embedding [model.size()] of length 1; copied
   */
  @NotNull
  public synchronized Person add(@NotNull String id, @NotNull TemplateModel model, @NotNull Collection<float[]> templates) {
    return change(id, model, templates, true);
  }

  /**
   * Gives a person these templates in place of all that they have, which are gone: enrols them again, as after a new model. Errors
   * are those of {@link #enrol} and {@link GalleryException.NoPerson}.
   *
   * @param templates at least one embedding [model.size()] of length 1; copied
   */
  @NotNull
  public synchronized Person reEnrol(@NotNull String id, @NotNull TemplateModel model, @NotNull Collection<float[]> templates) {
    return change(id, model, templates, false);
  }

  private Person change(String id, TemplateModel model, Collection<float[]> templates, boolean keep) {
    List<Entry.Vector> added = vectors(model, templates, System.currentTimeMillis());
    try (Closeable lock = lock()) {
      int at = indexOf(id);
      Entry old = entries.get(at);
      checkModel(model);
      List<Entry.Vector> all = new ArrayList<Entry.Vector>(keep ? old.vectors : Collections.<Entry.Vector>emptyList());
      all.addAll(added);
      Entry made = new Entry(old.id, old.name, old.created, old.metadata, all);
      List<Entry> next = new ArrayList<Entry>(entries);
      next.set(at, made);
      commit(next);
      if (!keep) {
        old.wipe();
      }
      return made.person();
    } catch (IOException e) {
      throw store.cannotWrite(e);
    }
  }

  /**
   * Gives a person another name.
   *
   * @throws GalleryException.NoPerson
   * @throws GalleryException.Name
   * @throws GalleryException.Duplicate where somebody else has that name
   */
  @NotNull
  public synchronized Person rename(@NotNull String id, @NotNull String name) {
    String normal = Entry.checkName(name);
    try (Closeable lock = lock()) {
      int at = indexOf(id);
      Entry old = entries.get(at);
      checkFree(normal, old);
      Entry made = new Entry(old.id, normal, old.created, old.metadata, old.vectors);
      List<Entry> next = new ArrayList<Entry>(entries);
      next.set(at, made);
      commit(next);
      return made.person();
    } catch (IOException e) {
      throw store.cannotWrite(e);
    }
  }

  /**
   * Deletes a person with all their templates.
   *
   * @throws GalleryException.NoPerson
   */
  public synchronized void delete(@NotNull String id) {
    try (Closeable lock = lock()) {
      int at = indexOf(id);
      List<Entry> next = new ArrayList<Entry>(entries);
      Entry gone = next.remove(at);
      commit(next);
      gone.wipe();
    } catch (IOException e) {
      throw store.cannotWrite(e);
    }
  }

  /**
   * Everybody as the bytes of a people file (docs/people-file.md) that {@code passphrase} seals, for another phone or a desktop. The
   * key takes 32 MiB of memory and about a second.
   *
   * @param passphrase of 1 character or more; the caller fills it with zeros
   * @throws GalleryException.Key where the passphrase is empty or no text
   * @throws GalleryException.Limit where there is not memory enough
   */
  @NotNull
  public synchronized byte[] exportPeople(@NotNull char[] passphrase) {
    refresh();
    return PeopleFile.seal(entries, passphrase);
  }

  /**
   * Takes in everybody of a people file, with the ids and times that they have there: all, or nobody.
   *
   * @param taken what to do with those who are here already
   * @throws GalleryException.Format where it is no such file, or a damaged one
   * @throws GalleryException.Version where a later release wrote it
   * @throws GalleryException.Authentication where it was changed, or the passphrase is another
   * @throws GalleryException.Duplicate where somebody is here already and {@code taken} is {@link Taken#REFUSE}
   */
  @NotNull
  public synchronized Merged importPeople(@NotNull byte[] file, @NotNull char[] passphrase, @NotNull Taken taken) {
    checkOpen();
    List<Entry> read = PeopleFile.open(file, passphrase);
    try (Closeable lock = lock()) {
      Merge merge = new Merge(entries, taken);
      for (Entry entry : read) {
        merge.take(entry);
      }
      checkSizes(Entry.models(merge.entries).keySet(), merge.entries);
      commit(merge.entries);
      merge.wipeReplaced();
      return merge.counts();
    } catch (IOException e) {
      throw store.cannotWrite(e);
    }
  }

  /** Deletes everybody, the file and the key: what copies of the file there may be cannot be read again. The gallery stays open, empty. */
  public synchronized void deleteAll() {
    checkOpen();
    store.destroy();
    adopt(Collections.<Entry>emptyList(), GalleryStore.NO_FILE);
  }

  /** Lets go of the templates in memory, which are filled with zeros. Nothing is left to be written. */
  @Override
  public synchronized void close() {
    closed = true;
    adopt(Collections.<Entry>emptyList(), GalleryStore.NO_FILE);
  }

  /** Says nothing of anybody, so that a log does not either. */
  @Override
  public String toString() {
    return "Gallery";
  }

  // What is in the file

  private void checkOpen() {
    if (closed) {
      throw new GalleryException.Closed("gallery: expected it open, it was closed; open it again");
    }
  }

  /** Reads the file anew where it is not the one that `entries` are from. */
  private void refresh() {
    checkOpen();
    try {
      if (!Arrays.equals(seen, store.header())) {
        try (Closeable lock = store.lock()) {
          load();
        }
      }
    } catch (IOException e) {
      throw store.cannotRead(e);
    }
  }

  /** Waits for its turn to change the file, and sees what it holds by then. */
  private Closeable lock() throws IOException {
    checkOpen();
    Closeable lock = store.lock();
    boolean done = false;
    try {
      if (!Arrays.equals(seen, store.header())) {
        load();
      }
      done = true;
      return lock;
    } finally {
      if (!done) {
        lock.close();
      }
    }
  }

  /** Under the lock. */
  private void load() throws IOException {
    byte[] data = store.read();
    if (data == null) {
      adopt(Collections.<Entry>emptyList(), GalleryStore.NO_FILE);
    } else {
      adopt(store.open(data), Arrays.copyOf(data, GalleryFile.HEADER));
    }
  }

  /** Takes what was read in place of what there was, which is wiped. */
  private void adopt(List<Entry> read, byte[] header) {
    for (Entry entry : entries) {
      entry.wipe();
    }
    entries = read;
    seen = header;
  }

  /** Writes `next` and takes it; under the lock. Where that fails nothing is taken, and the next call looks what the file holds. */
  private void commit(List<Entry> next) {
    seen = store.write(next, seen == GalleryStore.NO_FILE);
    entries = Collections.unmodifiableList(next);
  }

  // What a change must keep to

  private int indexOf(String id) {
    for (int at = 0; at < entries.size(); at++) {
      if (entries.get(at).id.toString().equals(id)) {
        return at;
      }
    }
    throw new GalleryException.NoPerson("gallery: expected the id of somebody who is enrolled, got another; people() gives them");
  }

  private void checkFree(String name, Entry owner) {
    for (Entry entry : entries) {
      if (entry != owner && entry.name.equals(name)) {
        throw new GalleryException.Duplicate(
            "gallery: expected a name that nobody has yet, somebody has it; give another name, or add to that person");
      }
    }
  }

  private void checkModel(TemplateModel model) {
    checkSizes(Collections.singleton(model), entries);
  }

  private static void checkSizes(Collection<TemplateModel> models, List<Entry> entries) {
    for (TemplateModel model : models) {
      for (Entry entry : entries) {
        for (Entry.Vector vector : entry.vectors) {
          if (vector.model.equals(model) && vector.model.size() != model.size()) {
            throw new GalleryException.Model("gallery: expected templates of " + vector.model + ", as it knows that model, got " + model);
          }
        }
      }
    }
  }

  private static List<Entry.Vector> vectors(TemplateModel model, Collection<float[]> templates, long now) {
    if (templates.isEmpty()) {
      throw new GalleryException.Vector("gallery: expected at least one template, got none");
    }
    List<Entry.Vector> vectors = new ArrayList<Entry.Vector>(templates.size());
    for (float[] template : templates) {
      GalleryException wrong = Entry.wrongWithTemplate(model, template);
      if (wrong != null) {
        throw wrong;
      }
      vectors.add(new Entry.Vector(model, now, template.clone()));
    }
    return vectors;
  }
}
