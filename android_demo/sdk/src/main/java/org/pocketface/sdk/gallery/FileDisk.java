package org.pocketface.sdk.gallery;

import java.io.Closeable;
import java.io.File;
import java.io.FileInputStream;
import java.io.FileNotFoundException;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.concurrent.locks.ReentrantLock;

/** The real one. */
final class FileDisk implements Disk {
  /** A file lock holds between processes; within one, a second lock on the same file is an error, so threads wait here first. */
  private static final ReentrantLock THREADS = new ReentrantLock();

  @Override
  public Closeable lock(File file) throws IOException {
    THREADS.lock();
    try {
      final RandomAccessFile lockFile = new RandomAccessFile(new File(file.getPath() + ".lock"), "rw");
      try {
        lockFile.getChannel().lock();
      } catch (IOException e) {
        lockFile.close();
        throw e;
      }
      return new Closeable() {
        @Override
        public void close() throws IOException {
          try {
            lockFile.close();
          } finally {
            THREADS.unlock();
          }
        }
      };
    } catch (IOException e) {
      THREADS.unlock();
      throw e;
    }
  }

  @Override
  public byte[] read(File file, int limit) throws IOException {
    FileInputStream in;
    try {
      in = new FileInputStream(file);
    } catch (FileNotFoundException e) {
      if (Files.notExists(file.toPath())) {
        return null;
      }
      throw e;
    }
    try {
      byte[] data = new byte[(int) Math.min(limit, in.getChannel().size())];
      int size = 0;
      int got = 0;
      while (size < data.length && (got = in.read(data, size, data.length - size)) > 0) {
        size += got;
      }
      return Arrays.copyOf(data, size);
    } finally {
      in.close();
    }
  }

  @Override
  public Sink create(File file) throws IOException {
    final FileOutputStream out = new FileOutputStream(file);
    return new Sink() {
      @Override
      public void write(byte[] data) throws IOException {
        out.write(data);
      }

      @Override
      public void sync() throws IOException {
        out.getFD().sync();
      }

      @Override
      public void close() throws IOException {
        out.close();
      }
    };
  }

  @Override
  public void rename(File from, File to) throws IOException {
    Files.move(from.toPath(), to.toPath(), StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
  }

  @Override
  public boolean exists(File file) {
    // Where it cannot be known, say in a folder that is still locked, it may well be there.
    return !Files.notExists(file.toPath());
  }

  @Override
  public void delete(File file) throws IOException {
    try {
      Files.delete(file.toPath());
    } catch (NoSuchFileException e) {
      return;
    }
  }

  @Override
  public void syncFolder(File folder) throws IOException {
    FileChannel channel;
    try {
      channel = FileChannel.open(folder.toPath(), StandardOpenOption.READ);
    } catch (IOException e) {
      // Some file systems do not open folders. Then the old file may come back after a loss of power, whole.
      return;
    }
    try {
      channel.force(true);
    } finally {
      channel.close();
    }
  }
}
