package org.pocketface.sdk.gallery;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** People of a file on their way into a gallery: the entries as they would be, for the gallery to write all at once. */
final class Merge {
  /** What the gallery would hold. */
  final List<Entry> entries;

  private final Taken taken;
  private final List<Entry> replaced = new ArrayList<Entry>();
  private int enrolled;
  private int skipped;
  private int added;

  Merge(List<Entry> entries, Taken taken) {
    this.entries = new ArrayList<Entry>(entries);
    this.taken = taken;
  }

  /**
   * Takes in `entry`.
   *
   * @throws GalleryException.Duplicate where they are here already and {@link Taken#REFUSE} was said
   */
  void take(Entry entry) {
    int at = indexOf(entry);
    if (at < 0) {
      entries.add(entry);
      enrolled++;
      return;
    }
    Entry here = entries.get(at);
    switch (taken) {
      case REFUSE:
        throw new GalleryException.Duplicate("people: expected nobody who is enrolled already, got somebody who is, by id or name; "
            + "say what to do with them: skip, replace or add");
      case SKIP:
        skipped++;
        return;
      case REPLACE:
        replaced.add(here);
        entries.set(at, new Entry(here.id, here.name, here.created, here.metadata, entry.vectors));
        return;
      default:
        added++;
        entries.set(at, new Entry(here.id, here.name, here.created, here.metadata, together(here.vectors, entry.vectors)));
    }
  }

  Merged counts() {
    return new Merged(enrolled, skipped, replaced.size(), added);
  }

  /** When the new entries are on the disk: the templates that gave way leave the memory too. */
  void wipeReplaced() {
    for (Entry entry : replaced) {
      entry.wipe();
    }
  }

  /** The id is asked for first: somebody may have been renamed, and another have got the name. */
  private int indexOf(Entry entry) {
    int named = -1;
    for (int at = 0; at < entries.size(); at++) {
      if (entries.get(at).id.equals(entry.id)) {
        return at;
      }
      if (entries.get(at).name.equals(entry.name)) {
        named = at;
      }
    }
    return named;
  }

  private static List<Entry.Vector> together(List<Entry.Vector> held, List<Entry.Vector> given) {
    List<Entry.Vector> all = new ArrayList<Entry.Vector>(held);
    for (Entry.Vector vector : given) {
      boolean known = false;
      for (Entry.Vector other : held) {
        known |= other.model.equals(vector.model) && Arrays.equals(other.numbers, vector.numbers);
      }
      if (!known) {
        all.add(vector);
      }
    }
    return all;
  }
}
