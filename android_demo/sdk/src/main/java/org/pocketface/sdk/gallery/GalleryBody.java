package org.pocketface.sdk.gallery;

import java.nio.BufferUnderflowException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.UUID;

/** What a gallery file seals, as bytes and back: docs/gallery-format.md, section 2. */
final class GalleryBody {
  private static final int MAX_MODELS = 0xffff;
  private static final int MAX_METADATA = 0xffff;
  private static final char[] DIGITS = "0123456789abcdef".toCharArray();

  private GalleryBody() {}

  /**
   * Bytes of `entries`. They hold templates: whoever has used them fills them with zeros.
   *
   * @throws GalleryException.Limit where they are more than a gallery holds
   */
  static byte[] encode(List<Entry> entries) {
    Map<TemplateModel, Integer> models = Entry.models(entries);
    long size = 6;
    for (TemplateModel model : models.keySet()) {
      size += 35 + model.variant().length();
    }
    for (Entry entry : entries) {
      size += 29 + entry.name.getBytes(StandardCharsets.UTF_8).length;
      for (Map.Entry<String, String> pair : entry.metadata.entrySet()) {
        size += 8L + bytes(pair.getKey()).length + bytes(pair.getValue()).length;
      }
      for (Entry.Vector vector : entry.vectors) {
        size += 10 + 4L * vector.numbers.length;
      }
      checkLimit("templates of a person", entry.vectors.size(), Entry.MAX_TEMPLATES);
      checkLimit("metadata of a person", entry.metadata.size(), MAX_METADATA);
    }
    checkLimit("models", models.size(), MAX_MODELS);
    checkLimit("bytes", size, GalleryFile.MAX_BODY);
    ByteBuffer out = ByteBuffer.allocate((int) size).order(ByteOrder.LITTLE_ENDIAN);
    out.putInt(entries.size()).putShort((short) models.size());
    for (TemplateModel model : models.keySet()) {
      for (int at = 0; at < 64; at += 2) {
        out.put((byte) Integer.parseInt(model.sha256().substring(at, at + 2), 16));
      }
      out.putShort((short) model.size());
      putText(out, model.variant());
    }
    for (Entry entry : entries) {
      put(out, entry, models);
    }
    return out.array();
  }

  private static void put(ByteBuffer out, Entry entry, Map<TemplateModel, Integer> models) {
    // A UUID's bytes have an order of their own, the one that it is printed in.
    out.order(ByteOrder.BIG_ENDIAN).putLong(entry.id.getMostSignificantBits()).putLong(entry.id.getLeastSignificantBits());
    out.order(ByteOrder.LITTLE_ENDIAN).putLong(entry.created);
    putText(out, entry.name);
    out.putShort((short) entry.metadata.size());
    for (Map.Entry<String, String> pair : entry.metadata.entrySet()) {
      out.putInt(bytes(pair.getKey()).length).put(bytes(pair.getKey()));
      out.putInt(bytes(pair.getValue()).length).put(bytes(pair.getValue()));
    }
    out.putShort((short) entry.vectors.size());
    for (Entry.Vector vector : entry.vectors) {
      out.putShort((short) models.get(vector.model).intValue()).putLong(vector.created);
      for (float number : vector.numbers) {
        out.putFloat(number);
      }
    }
  }

  /**
   * The entries that `body` states.
   *
   * @throws GalleryException.Format where it breaks the format
   */
  static List<Entry> decode(byte[] body) {
    ByteBuffer in = ByteBuffer.wrap(body).order(ByteOrder.LITTLE_ENDIAN);
    try {
      int count = in.getInt();
      List<TemplateModel> models = readModels(in);
      List<Entry> entries = new ArrayList<Entry>();
      Set<Object> seen = new HashSet<Object>();
      Set<TemplateModel> used = new HashSet<TemplateModel>();
      for (int at = 0; at != count; at++) {
        Entry entry = readEntry(in, models, used);
        entries.add(entry);
        if (!seen.add(entry.id) || !seen.add(entry.name)) {
          throw broken("each id and each name once, got one twice");
        }
      }
      if (used.size() != models.size()) {
        throw broken("models that templates are of, got one without");
      }
      if (in.hasRemaining()) {
        throw broken("nothing behind the last person, got " + in.remaining() + " bytes");
      }
      return entries;
    } catch (BufferUnderflowException e) {
      throw broken("the people that it states, got fewer bytes than they take");
    }
  }

  private static List<TemplateModel> readModels(ByteBuffer in) {
    int count = in.getShort() & 0xffff;
    List<TemplateModel> models = new ArrayList<TemplateModel>(count);
    Set<String> digests = new HashSet<String>();
    for (int at = 0; at < count; at++) {
      StringBuilder sha256 = new StringBuilder(64);
      for (int index = 0; index < 32; index++) {
        int value = in.get() & 0xff;
        sha256.append(DIGITS[value >> 4]).append(DIGITS[value & 15]);
      }
      int size = in.getShort() & 0xffff;
      try {
        models.add(new TemplateModel(sha256.toString(), readText(in, in.get() & 0xff), size));
      } catch (GalleryException.Model e) {
        throw new GalleryException.Format("gallery: " + e.getMessage());
      }
      if (!digests.add(sha256.toString())) {
        throw broken("each model once, got one twice");
      }
    }
    return models;
  }

  private static Entry readEntry(ByteBuffer in, List<TemplateModel> models, Set<TemplateModel> used) {
    in.order(ByteOrder.BIG_ENDIAN);
    UUID id = new UUID(in.getLong(), in.getLong());
    in.order(ByteOrder.LITTLE_ENDIAN);
    long created = in.getLong();
    String name = readText(in, in.get() & 0xff);
    String wrong = Entry.wrongWithName(name);
    if (wrong != null) {
      throw broken("names on one line, got " + wrong);
    }
    Map<String, String> metadata = readMetadata(in);
    int count = in.getShort() & 0xffff;
    if (count == 0) {
      throw broken("a template of each person, got somebody without");
    }
    List<Entry.Vector> vectors = new ArrayList<Entry.Vector>(count);
    for (int at = 0; at < count; at++) {
      Entry.Vector vector = readVector(in, models);
      vectors.add(vector);
      used.add(vector.model);
    }
    return new Entry(id, name, created, metadata, vectors);
  }

  private static Map<String, String> readMetadata(ByteBuffer in) {
    Map<String, String> metadata = new LinkedHashMap<String, String>();
    int count = in.getShort() & 0xffff;
    for (int at = 0; at < count; at++) {
      String key = readText(in, in.getInt());
      if (metadata.put(key, readText(in, in.getInt())) != null) {
        throw broken("each name of metadata once, got one twice");
      }
    }
    return metadata;
  }

  private static Entry.Vector readVector(ByteBuffer in, List<TemplateModel> models) {
    int index = in.getShort() & 0xffff;
    if (index >= models.size()) {
      throw broken("one of " + models.size() + " models, got number " + index);
    }
    TemplateModel model = models.get(index);
    long created = in.getLong();
    float[] numbers = new float[model.size()];
    for (int at = 0; at < numbers.length; at++) {
      numbers[at] = in.getFloat();
    }
    GalleryException wrong = Entry.wrongWithTemplate(model, numbers);
    if (wrong != null) {
      throw new GalleryException.Format("gallery: " + wrong.getMessage());
    }
    return new Entry.Vector(model, created, numbers);
  }

  private static void putText(ByteBuffer out, String text) {
    out.put((byte) bytes(text).length).put(bytes(text));
  }

  private static byte[] bytes(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }

  private static String readText(ByteBuffer in, int size) {
    if (size < 0 || size > in.remaining()) {
      throw new BufferUnderflowException();
    }
    byte[] bytes = new byte[size];
    in.get(bytes);
    try {
      return StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes)).toString();
    } catch (CharacterCodingException e) {
      throw broken("text in UTF-8, got other bytes");
    }
  }

  private static GalleryException.Format broken(String expected) {
    return new GalleryException.Format("gallery: expected " + expected);
  }

  private static void checkLimit(String what, long count, long limit) {
    if (count > limit) {
      throw new GalleryException.Limit(
          "gallery: expected at most " + limit + " " + what + ", got " + count + "; delete what is not needed");
    }
  }
}
