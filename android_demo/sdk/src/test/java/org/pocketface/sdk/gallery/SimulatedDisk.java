package org.pocketface.sdk.gallery;

import java.io.Closeable;
import java.io.File;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * A file system that stops at a chosen step, where each byte written is a step, and that knows what a loss of power may leave: of a file
 * whose bytes were not synced any part of them; of renames and deletions in a folder that was not synced the first few, or none.
 */
final class SimulatedDisk implements Disk {
  /** The machine is off: nothing after it happens, whatever code runs. An Error, which no handler of exceptions takes for a failure. */
  static final class PowerLoss extends Error {}

  private static final class Node {
    byte[] bytes;
    byte[] lasting;

    Node(byte[] bytes, byte[] lasting) {
      this.bytes = bytes;
      this.lasting = lasting;
    }
  }

  private Map<File, Node> folder = new HashMap<>();
  /** The folder as it was synced, then after each change since. */
  private final List<Map<File, Node>> lastingFolders = new ArrayList<>();

  private int steps;
  private int stopAt = Integer.MAX_VALUE;
  private boolean losesPower;
  private boolean off;

  SimulatedDisk() {
    lastingFolders.add(new HashMap<>());
  }

  /** Power goes at step `step` from now, the first being 0. */
  void losePowerAt(int step) {
    steps = 0;
    stopAt = step;
    losesPower = true;
  }

  /** The disk is full, or broken, from step `step` from now until {@link #mend}. */
  void failFrom(int step) {
    steps = 0;
    stopAt = step;
    losesPower = false;
  }

  void mend() {
    steps = 0;
    stopAt = Integer.MAX_VALUE;
  }

  /** Steps since a stop was last set. */
  int steps() {
    return steps;
  }

  /** Every disk that a loss of power now may leave. */
  List<SimulatedDisk> afterPowerLoss() {
    List<SimulatedDisk> all = new ArrayList<>();
    for (Map<File, Node> names : lastingFolders) {
      for (double share : new double[] {0, 0.5, 1}) {
        SimulatedDisk disk = new SimulatedDisk();
        for (Map.Entry<File, Node> name : names.entrySet()) {
          byte[] bytes = name.getValue().lasting;
          if (bytes == null) {
            bytes = Arrays.copyOf(name.getValue().bytes, (int) (share * name.getValue().bytes.length));
          }
          disk.folder.put(name.getKey(), new Node(bytes, bytes));
        }
        disk.lastingFolders.set(0, new HashMap<>(disk.folder));
        all.add(disk);
      }
    }
    return all;
  }

  private void step() throws IOException {
    if (off || steps >= stopAt && losesPower) {
      off = true;
      throw new PowerLoss();
    }
    if (steps >= stopAt) {
      throw new IOException("No space left on device");
    }
    steps++;
  }

  private void changed() {
    lastingFolders.add(new HashMap<>(folder));
  }

  @Override
  public Closeable lock(File file) {
    return () -> {};
  }

  @Override
  public byte[] read(File file, int limit) {
    Node node = folder.get(file);
    return node == null ? null : Arrays.copyOf(node.bytes, Math.min(limit, node.bytes.length));
  }

  @Override
  public Sink create(File file) throws IOException {
    step();
    Node node = new Node(new byte[0], null);
    folder.put(file, node);
    changed();
    return new Sink() {
      @Override
      public void write(byte[] data) throws IOException {
        for (byte value : data) {
          step();
          node.bytes = Arrays.copyOf(node.bytes, node.bytes.length + 1);
          node.bytes[node.bytes.length - 1] = value;
        }
      }

      @Override
      public void sync() throws IOException {
        step();
        node.lasting = node.bytes;
      }

      @Override
      public void close() {}
    };
  }

  @Override
  public void rename(File from, File to) throws IOException {
    step();
    if (!folder.containsKey(from)) {
      throw new IOException("no such file");
    }
    folder.put(to, folder.remove(from));
    changed();
  }

  @Override
  public boolean exists(File file) {
    return folder.containsKey(file);
  }

  @Override
  public void delete(File file) throws IOException {
    if (folder.containsKey(file)) {
      step();
      folder.remove(file);
      changed();
    }
  }

  @Override
  public void syncFolder(File at) throws IOException {
    step();
    lastingFolders.subList(0, lastingFolders.size() - 1).clear();
  }
}
