package org.pocketface.sdk.gallery;

import java.io.Closeable;
import java.io.File;
import java.io.IOException;

/** The few things that a gallery asks of a file system, each of which may fail or be the last one that happens. */
interface Disk {
  /** Waits until nobody else, in this process or another, has the lock of `file`; closing lets it go. */
  Closeable lock(File file) throws IOException;

  /** The first `limit` bytes of `file` at most; null where there is no file. */
  byte[] read(File file, int limit) throws IOException;

  /** An empty file to write to, in place of any that is there. */
  Sink create(File file) throws IOException;

  /** Puts `from` in the place of `to` at once: whoever looks sees the one or the other. */
  void rename(File from, File to) throws IOException;

  boolean exists(File file) throws IOException;

  /** Nothing happens where there is no file. */
  void delete(File file) throws IOException;

  /** Renames and deletions in `folder` last from here on. */
  void syncFolder(File folder) throws IOException;

  /** A file that is being written. */
  interface Sink extends Closeable {
    void write(byte[] data) throws IOException;

    /** What was written lasts from here on. */
    void sync() throws IOException;
  }
}
