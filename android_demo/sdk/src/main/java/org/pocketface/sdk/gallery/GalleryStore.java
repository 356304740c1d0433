package org.pocketface.sdk.gallery;

import java.io.Closeable;
import java.io.File;
import java.io.IOException;
import java.security.GeneralSecurityException;
import java.security.ProviderException;
import java.util.Arrays;
import java.util.List;
import javax.crypto.SecretKey;

/** One gallery's file and key: what is read, written and destroyed, and in which order, so that a crash leaves the old or the new. */
final class GalleryStore {
  /** The header where there is no file. */
  static final byte[] NO_FILE = {};

  private final File file;
  private final GalleryKey key;
  private final Disk disk;

  GalleryStore(File file, GalleryKey key, Disk disk) {
    this.file = file.getAbsoluteFile();
    this.key = key;
    this.disk = disk;
  }

  /** Waits until nobody else writes, and ends what was cut off; closing lets others write. */
  Closeable lock() throws IOException {
    Closeable lock = disk.lock(file);
    boolean done = false;
    try {
      finishDeletion();
      disk.delete(beside(".new"));
      done = true;
      return lock;
    } finally {
      if (!done) {
        lock.close();
      }
    }
  }

  /** The header of the file, which no other file has; {@link #NO_FILE} where there is none. */
  byte[] header() throws IOException {
    byte[] header = disk.read(file, GalleryFile.HEADER);
    return header == null ? NO_FILE : header;
  }

  /** The whole file; null where there is none. */
  byte[] read() throws IOException {
    return disk.read(file, GalleryFile.MAX_FILE + 1);
  }

  /** What the bytes of a file hold. Errors: those of reading in docs/gallery-format.md, section 7. */
  List<Entry> open(byte[] data) {
    GalleryFile.checkForm(data);
    SecretKey found = find();
    if (found == null) {
      throw noKey();
    }
    return GalleryFile.open(data, found);
  }

  /**
   * Puts a file of `entries` in the place of the one that is there, under the lock; gives its header.
   *
   * @throws GalleryException.Write where it cannot be written: it then may or may not be in its place
   * @throws GalleryException.Key
   */
  byte[] write(List<Entry> entries, boolean first) {
    SecretKey used = find();
    if (used == null && !first) {
      throw noKey();
    }
    byte[] sealed = GalleryFile.seal(entries, used == null ? create() : used);
    File fresh = beside(".new");
    try {
      try (Disk.Sink sink = disk.create(fresh)) {
        sink.write(sealed);
        sink.sync();
      }
      disk.rename(fresh, file);
      disk.syncFolder(file.getParentFile());
    } catch (IOException e) {
      try {
        disk.delete(fresh);
      } catch (IOException left) {
        e.addSuppressed(left);
      }
      throw cannotWrite(e);
    }
    return Arrays.copyOf(sealed, GalleryFile.HEADER);
  }

  /** Deletes file and key. First the file loses its name, so that nobody is left with one that has no key. */
  void destroy() {
    try (Closeable lock = disk.lock(file)) {
      if (disk.exists(file)) {
        disk.rename(file, beside(".deleted"));
        disk.syncFolder(file.getParentFile());
      }
      forget();
      finishDeletion();
      disk.delete(beside(".new"));
    } catch (IOException e) {
      throw cannotWrite(e);
    }
  }

  /** Ends a deletion that was cut off. */
  private void finishDeletion() throws IOException {
    File deleted = beside(".deleted");
    if (disk.exists(deleted)) {
      if (!disk.exists(file)) {
        forget();
      }
      disk.delete(deleted);
      disk.syncFolder(file.getParentFile());
    }
  }

  private SecretKey find() {
    try {
      return key.find();
    } catch (GeneralSecurityException e) {
      throw GalleryFile.unusable(e);
    } catch (ProviderException e) {
      throw GalleryFile.unusable(e);
    }
  }

  private SecretKey create() {
    try {
      return key.create();
    } catch (GeneralSecurityException e) {
      throw GalleryFile.unusable(e);
    } catch (ProviderException e) {
      throw GalleryFile.unusable(e);
    }
  }

  private void forget() {
    try {
      key.forget();
    } catch (GeneralSecurityException e) {
      throw GalleryFile.unusable(e);
    } catch (ProviderException e) {
      throw GalleryFile.unusable(e);
    }
  }

  private File beside(String suffix) {
    return new File(file.getPath() + suffix);
  }

  private static GalleryException.Key noKey() {
    return new GalleryException.Key("gallery: expected the key that it was written with, there is none; the file came from another "
        + "phone or the key was deleted: delete the gallery and enrol again");
  }

  GalleryException.Read cannotRead(IOException cause) {
    GalleryException.Read error =
        new GalleryException.Read(file + ": expected a gallery that can be read, it cannot be (" + cause.getMessage() + ")");
    error.initCause(cause);
    return error;
  }

  GalleryException.Write cannotWrite(IOException cause) {
    GalleryException.Write error = new GalleryException.Write(
        file + ": cannot be written (" + cause.getMessage() + "); make room and try again: it holds what it held before, or the change, whole");
    error.initCause(cause);
    return error;
  }
}
