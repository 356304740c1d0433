package org.pocketface.sdk.manifest;

import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import org.jetbrains.annotations.NotNull;
import org.jetbrains.annotations.Nullable;

/**
 * Levels of one net, the widest first. They share an embedding space: templates of one are compared with those of another, and all count
 * as those of the variant {@link #whole}, the widest level.
 */
public final class LevelSet {
  /** The widest level's variant. Every other level's is stored as prefixes of the constants of its .tflite. */
  @NotNull public final String whole;

  /** Two or more, of distinct names and falling utilisation. */
  @NotNull public final List<Level> levels;

  /** How well two levels match, where it was measured. */
  @NotNull public final List<CrossLevel> matching;

  LevelSet(Fields fields) {
    fields.expect(new String[] {"whole", "levels"}, "matching");
    whole = fields.name("whole");
    levels = Level.list(fields.items("levels", 2));
    matching = CrossLevel.list(fields.items("matching", 0));
    checkLevels(fields);
    checkMatching(fields);
  }

  private void checkLevels(Fields fields) {
    if (!levels.get(0).variant.equals(whole) || levels.get(0).utilisation != 1) {
      throw fields.wrong("levels: expected the whole net, " + whole + ", first, with utilisation 1");
    }
    Set<String> names = new HashSet<>();
    double last = Double.POSITIVE_INFINITY;
    for (Level level : levels) {
      if (!(level.utilisation < last && level.utilisation > 0)) {
        throw fields.wrong("levels: expected falling utilisations above 0, got " + level.utilisation + " after " + last);
      }
      last = level.utilisation;
      names.add(level.name);
    }
    if (names.size() != levels.size()) {
      throw fields.wrong("levels: expected distinct names, got " + names);
    }
  }

  private void checkMatching(Fields fields) {
    Set<Set<String>> pairs = new HashSet<>();
    for (CrossLevel item : matching) {
      Set<String> pair = new TreeSet<>();
      pair.add(item.enrolled);
      pair.add(item.probe);
      if (pair.size() != 2 || named(item.enrolled) == null || named(item.probe) == null || !pairs.add(pair)) {
        throw fields.wrong("matching: expected each two of the levels at most once, got " + pair);
      }
    }
  }

  /** The level that a variant is; null where it is none of them. */
  @Nullable
  public Level levelOf(@NotNull String variant) {
    for (Level level : levels) {
      if (level.variant.equals(variant)) {
        return level;
      }
    }
    return null;
  }

  /** The level of that name; null where there is none. */
  @Nullable
  public Level named(@NotNull String name) {
    for (Level level : levels) {
      if (level.name.equals(name)) {
        return level;
      }
    }
    return null;
  }

  /**
   * The thresholds for comparisons of a variant, which is one of the levels, with templates of any of them, where {@code own} are those
   * with its own: at each rate the highest of all, so that none matches falsely more often than stated. Rates that one of them lacks are
   * left out.
   */
  @NotNull
  public List<Threshold> sharedThresholds(@NotNull String variant, @NotNull List<Threshold> own) {
    Level level = levelOf(variant);
    if (level == null) {
      throw new IllegalArgumentException(variant + ": expected a variant that is a level of " + whole);
    }
    List<Threshold> found = new ArrayList<>();
    for (Threshold threshold : own) {
      Threshold highest = threshold;
      for (Level other : levels) {
        Threshold across = other == level ? threshold : across(level.name, other.name, threshold.fmr);
        if (across == null) {
          highest = null;
          break;
        }
        highest = across.similarity > highest.similarity ? across : highest;
      }
      if (highest != null) {
        found.add(highest);
      }
    }
    return Collections.unmodifiableList(found);
  }

  private Threshold across(String one, String other, double fmr) {
    for (CrossLevel item : matching) {
      for (Threshold threshold : item.thresholds) {
        if (item.isOf(one, other) && threshold.fmr == fmr) {
          return threshold;
        }
      }
    }
    return null;
  }

  static List<LevelSet> list(List<Fields> items) {
    List<LevelSet> result = new ArrayList<>();
    for (Fields item : items) {
      result.add(new LevelSet(item));
    }
    return Collections.unmodifiableList(result);
  }
}
