package org.pocketface.sdk;

import java.io.File;
import java.io.FileInputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import org.jetbrains.annotations.NotNull;
import org.jetbrains.annotations.Nullable;
import org.pocketface.sdk.manifest.BlobFile;
import org.pocketface.sdk.manifest.Level;
import org.pocketface.sdk.manifest.LevelSet;
import org.pocketface.sdk.manifest.Manifest;
import org.pocketface.sdk.manifest.Threshold;
import org.pocketface.sdk.manifest.Variant;

/**
 * A verified bundle: one .pface file that holds a manifest and blobs (docs/bundle-format.md). It never changes and may be shared
 * between threads.
 *
 * <p>Checked in this order, all before any native code sees a byte: the file's own hash, the container, the manifest, each blob's hash,
 * the structure of each .tflite. A packed variant is rebuilt when it is asked for, and checked against the hash of what it must become; a
 * level of another variant is rebuilt from that one.
 *
 * <p>A mapping ends when nothing refers to it any more; Java has no way to end it sooner, so there is nothing to close.
 */
public final class Bundle {
  private final Manifest manifest;
  private final Map<String, ByteBuffer> members;
  private final String sha256;
  private final String source;

  private Bundle(Manifest manifest, Map<String, ByteBuffer> members, String sha256, String source) {
    this.manifest = manifest;
    this.members = members;
    this.sha256 = sha256;
    this.source = source;
  }

  /**
   * Maps and verifies a file. Models that are not packed run where they lie in the mapping.
   *
   * <p>The file must not be written to while the bundle is in use, since what was verified is then no longer what is used: keep it where
   * only the app can write, and replace it by renaming another over it. Where others may write to it, use {@link #read}.
   *
   * @throws BundleException what is wrong with it
   */
  @NotNull
  public static Bundle open(@NotNull File file) {
    try (FileInputStream stream = stream(file); FileChannel channel = stream.getChannel()) {
      return map(channel, 0, channel.size(), file.getPath());
    } catch (IOException error) {
      throw unreadable(file, error);
    }
  }

  /**
   * Reads a file into memory and verifies it: what was verified is what is used, even where somebody changes the file meanwhile.
   *
   * @throws BundleException what is wrong with it
   */
  @NotNull
  public static Bundle read(@NotNull File file) {
    try (FileInputStream stream = stream(file); FileChannel channel = stream.getChannel()) {
      checkSize(channel.size(), file.getPath());
      ByteBuffer data = ByteBuffer.allocateDirect((int) channel.size());
      while (data.hasRemaining()) {
        if (channel.read(data) < 0) {
          throw new IOException("it became shorter while it was read");
        }
      }
      data.flip();
      return parse(data, file.getPath());
    } catch (IOException error) {
      throw unreadable(file, error);
    }
  }

  /**
   * Maps and verifies {@code length} bytes of {@code channel} from {@code offset}: a bundle that lies in another file, as a stored asset
   * lies in an APK. The channel may be closed afterwards. {@code source} names it in messages.
   *
   * @throws BundleException what is wrong with it
   */
  @NotNull
  public static Bundle map(@NotNull FileChannel channel, long offset, long length, @NotNull String source) {
    checkSize(length, source);
    ByteBuffer data;
    try {
      data = channel.map(FileChannel.MapMode.READ_ONLY, offset, length);
    } catch (IOException error) {
      throw new BundleException.Read(source + ": expected a bundle (.pface), it cannot be mapped: " + error.getMessage());
    }
    return parse(data, source);
  }

  /**
   * Verifies the bytes that remain in {@code data}, which must not change afterwards; {@code source} names them in messages. Models of a
   * direct buffer run where they lie.
   *
   * @throws BundleException what is wrong with it
   */
  @NotNull
  public static Bundle parse(@NotNull ByteBuffer data, @NotNull String source) {
    Map<String, ByteBuffer> members = Container.open(data, source);
    Manifest manifest = Manifest.read(members.get(Container.MANIFEST).duplicate(), source);
    checkNames(manifest, members, source);
    for (BlobFile file : manifest.files) {
      ByteBuffer blob = members.get(file.path);
      String digest = Digests.sha256(blob);
      if (file.size != blob.remaining() || !file.sha256.equals(digest)) {
        throw new BundleException.Hash(
            source + ": " + file.path + ": expected " + file.size + " bytes of sha256 " + file.sha256 + ", got " + blob.remaining()
                + " of " + digest);
      }
      if (file.role.equals("model") || file.role.equals("detector")) {
        TfliteStructure.check(blob, source + ": " + file.path);
      }
    }
    return new Bundle(manifest, members, Digests.sha256(data), source);
  }

  private static void checkNames(Manifest manifest, Map<String, ByteBuffer> members, String source) {
    TreeSet<String> stated = new TreeSet<>();
    for (BlobFile file : manifest.files) {
      stated.add(file.path);
    }
    TreeSet<String> stored = new TreeSet<>(members.keySet());
    stored.remove(Container.MANIFEST);
    if (!stated.equals(stored)) {
      TreeSet<String> odd = new TreeSet<>(stated);
      odd.addAll(stored);
      stated.retainAll(stored);
      odd.removeAll(stated);
      throw new BundleException.Manifest(
          source + ": expected the blobs that the manifest lists, got " + odd.first() + " in only one of them; build the bundle again");
    }
  }

  /** What the manifest says. */
  @NotNull
  public Manifest manifest() {
    return manifest;
  }

  /** SHA-256 of the whole file, as sha256sum prints it. */
  @NotNull
  public String sha256() {
    return sha256;
  }

  /** Where it came from, for messages. */
  @NotNull
  public String source() {
    return source;
  }

  /** Names of the variants, in the manifest's order. */
  @NotNull
  public List<String> variants() {
    List<String> names = new ArrayList<>();
    for (Variant variant : manifest.variants) {
      names.add(variant.name);
    }
    return Collections.unmodifiableList(names);
  }

  /** Name of the variant that is used where none is asked for. */
  @NotNull
  public String defaultVariant() {
    return manifest.defaultVariant;
  }

  /**
   * What the manifest says of a variant; null: of the default one.
   *
   * @throws BundleException.Variant where there is none of that name
   */
  @NotNull
  public Variant variant(@Nullable String name) {
    String wanted = name == null ? manifest.defaultVariant : name;
    for (Variant variant : manifest.variants) {
      if (variant.name.equals(wanted)) {
        return variant;
      }
    }
    throw new BundleException.Variant(source + ": expected one of the variants " + String.join(", ", variants()) + ", got " + wanted);
  }

  /**
   * What the manifest says of the level of that name of a variant's net (null: the default one's).
   *
   * @throws BundleException.Variant where the variant has no levels, or none of that name
   */
  @NotNull
  public Variant level(@NotNull String name, @Nullable String variant) {
    LevelSet levels = levels(variant);
    Level found = levels.named(name);
    if (found == null) {
      List<String> known = new ArrayList<>();
      for (Level level : levels.levels) {
        known.add(level.name);
      }
      throw new BundleException.Variant(
          source + ": expected one of the levels " + String.join(", ", known) + " of " + levels.whole + ", got " + name);
    }
    return variant(found.variant);
  }

  /**
   * The levels of a variant's net (null: the default one's).
   *
   * @throws BundleException.Variant where it has none
   */
  @NotNull
  public LevelSet levels(@Nullable String variant) {
    String of = variant(variant).name;
    LevelSet levels = manifest.levelsOf(of);
    if (levels == null) {
      throw new BundleException.Variant(source + ": expected a variant with levels, got " + of + ", which has none");
    }
    return levels;
  }

  /**
   * The variant whose templates those of {@code variant} count as: itself, or, of a level, the whole net, with which it shares the
   * embedding space.
   */
  @NotNull
  public Variant templateVariant(@NotNull Variant variant) {
    LevelSet levels = manifest.levelsOf(variant.name);
    return levels == null ? variant : variant(levels.whole);
  }

  /**
   * The thresholds for comparisons of {@code variant} with whatever counts as its templates: its own, or, of a level, those that hold
   * whichever level made the template.
   */
  @NotNull
  public List<Threshold> sharedThresholds(@NotNull Variant variant) {
    LevelSet levels = manifest.levelsOf(variant.name);
    return levels == null ? variant.thresholds : levels.sharedThresholds(variant.name, variant.thresholds);
  }

  /** The manifest as it lies in the file, JSON. */
  @NotNull
  public String manifestText() {
    return StandardCharsets.UTF_8.decode(members.get(Container.MANIFEST).duplicate()).toString();
  }

  /**
   * The bytes of a blob, not copied and not writable, little-endian.
   *
   * @throws BundleException.Variant where there is none of that name
   */
  @NotNull
  public ByteBuffer blob(@NotNull String path) {
    ByteBuffer blob = members.get(path);
    if (blob == null) {
      throw new BundleException.Variant(source + ": expected one of its files, got " + path);
    }
    return Buffers.part(blob, 0, blob.limit());
  }

  /**
   * The .tflite of a variant (null: the default one), ready to run: where it lies in the bundle, or, of a packed variant, rebuilt in
   * direct memory, each time.
   *
   * @throws BundleException.Variant where there is none of that name
   * @throws PackedException where a packed variant cannot be rebuilt
   * @throws BundleException.Hash where it was rebuilt to something else than the manifest states
   * @throws BundleException.Model where it was rebuilt to something that is no .tflite
   */
  @NotNull
  public ByteBuffer model(@Nullable String name) {
    Variant variant = variant(name);
    ByteBuffer blob = blob(variant.file);
    if (!variant.packed) {
      return blob;
    }
    LevelSet levels = manifest.levelsOf(variant.name);
    ByteBuffer model =
        levels == null || levels.whole.equals(variant.name) ? PackedModel.unpack(blob) : LevelModel.rebuild(blob, model(levels.whole));
    String digest = Digests.sha256(model);
    String where = source + ": " + variant.file;
    if (model.remaining() != variant.size || !digest.equals(variant.sha256)) {
      throw new BundleException.Hash(
          where + ": expected to rebuild " + variant.size + " bytes of sha256 " + variant.sha256 + ", got " + model.remaining() + " of "
              + digest);
    }
    TfliteStructure.check(model, where);
    return model;
  }

  private static FileInputStream stream(File file) throws IOException {
    if (!file.isFile()) { // before it is opened: opening a pipe would wait for its writer
      throw new BundleException.Read(file + ": expected a bundle (.pface), got something that is no file");
    }
    return new FileInputStream(file);
  }

  private static void checkSize(long size, String source) {
    if (size > Container.MAX_BUNDLE_BYTES) {
      throw new BundleException.Read(
          source + ": expected a bundle of at most " + Container.MAX_BUNDLE_BYTES + " bytes, got " + size);
    }
  }

  private static BundleException unreadable(File file, IOException error) {
    return new BundleException.Read(file + ": expected a bundle (.pface), it cannot be read: " + error.getMessage());
  }
}
