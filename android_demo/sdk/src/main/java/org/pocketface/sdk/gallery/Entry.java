package org.pocketface.sdk.gallery;

import java.nio.charset.StandardCharsets;
import java.text.Normalizer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;

/** A person as the gallery holds them: what {@link Person} shows and the templates. It does not change. */
final class Entry {
  /** How far from 1 a template's length may be; it moves a similarity by no more than that. Rounding to float32 gives 1e-7. */
  static final double LENGTH_TOLERANCE = 1e-3;

  static final int MAX_NAME_BYTES = 255;
  static final int MAX_TEMPLATES = 0xffff;

  final UUID id;
  final String name;
  final long created;
  /** The caller's own. */
  final Map<String, String> metadata;

  final List<Vector> vectors;

  Entry(UUID id, String name, long created, Map<String, String> metadata, List<Vector> vectors) {
    this.id = id;
    this.name = name;
    this.created = created;
    this.metadata = Collections.unmodifiableMap(new LinkedHashMap<String, String>(metadata));
    this.vectors = Collections.unmodifiableList(new ArrayList<Vector>(vectors));
  }

  /** One template: `numbers` [model.size()] of length 1, never given out. */
  static final class Vector {
    final TemplateModel model;
    final long created;
    final float[] numbers;

    Vector(TemplateModel model, long created, float[] numbers) {
      this.model = model;
      this.created = created;
      this.numbers = numbers;
    }

    void wipe() {
      Arrays.fill(numbers, 0f);
    }
  }

  Person person() {
    List<Person.Template> templates = new ArrayList<Person.Template>(vectors.size());
    for (Vector vector : vectors) {
      templates.add(new Person.Template(vector.model, vector.created));
    }
    return new Person(id.toString(), name, created, metadata, templates);
  }

  boolean has(String modelSha256) {
    for (Vector vector : vectors) {
      if (vector.model.sha256().equals(modelSha256)) {
        return true;
      }
    }
    return false;
  }

  void wipe() {
    for (Vector vector : vectors) {
      vector.wipe();
    }
  }

  /**
   * `name` without white space around it, in normal form C, so that what looks the same is the same.
   *
   * @throws GalleryException.Name
   */
  static String checkName(String name) {
    String normal = Normalizer.normalize(strip(name), Normalizer.Form.NFC);
    String wrong = wrongWithName(normal);
    if (wrong != null) {
      // The name itself stays out of the message, since messages end up in logs.
      throw new GalleryException.Name("name: expected 1 to " + MAX_NAME_BYTES + " bytes of UTF-8 on one line, got " + wrong);
    }
    return normal;
  }

  /**
   * Error where a name or a text of `metadata` cannot be written as UTF-8.
   *
   * @throws GalleryException.Name
   */
  static void checkMetadata(Map<String, String> metadata) {
    for (Map.Entry<String, String> pair : metadata.entrySet()) {
      if (!StandardCharsets.UTF_8.newEncoder().canEncode(pair.getKey()) || !StandardCharsets.UTF_8.newEncoder().canEncode(pair.getValue())) {
        throw new GalleryException.Name("metadata: expected text, got half of a character (a lone surrogate)");
      }
    }
  }

  /** The models of `entries` in the order of their first use, each with its number. */
  static Map<TemplateModel, Integer> models(List<Entry> entries) {
    Map<TemplateModel, Integer> models = new LinkedHashMap<TemplateModel, Integer>();
    for (Entry entry : entries) {
      for (Vector vector : entry.vectors) {
        if (!models.containsKey(vector.model)) {
          models.put(vector.model, models.size());
        }
      }
    }
    return models;
  }

  /** What keeps `name` from being one; null where nothing does. */
  static String wrongWithName(String name) {
    for (int at = 0; at < name.length(); ) {
      int point = name.codePointAt(at);
      int type = Character.getType(point);
      boolean printable = type != Character.CONTROL && type != Character.LINE_SEPARATOR && type != Character.PARAGRAPH_SEPARATOR;
      if (!printable || type == Character.SURROGATE) {
        return String.format("U+%04X in it", point);
      }
      at += Character.charCount(point);
    }
    int bytes = name.getBytes(StandardCharsets.UTF_8).length;
    return bytes < 1 || bytes > MAX_NAME_BYTES ? bytes + " bytes" : null;
  }

  /**
   * The first thing that keeps `numbers` from being a template of `model`, as the error to throw; null where nothing does.
   */
  static GalleryException wrongWithTemplate(TemplateModel model, float[] numbers) {
    if (numbers.length != model.size()) {
      return new GalleryException.Dimension(
          "template: expected " + model.size() + " numbers, as " + model + " gives, got " + numbers.length);
    }
    double squares = 0;
    for (float number : numbers) {
      squares += (double) number * number;
    }
    if (Double.isNaN(squares) || Double.isInfinite(squares)) {
      return new GalleryException.Vector("template: expected finite numbers, got NaN or infinity; embed the face again");
    }
    double length = Math.sqrt(squares);
    if (!(Math.abs(length - 1) <= LENGTH_TOLERANCE)) {
      return new GalleryException.Normalisation("template: expected length 1 (within " + LENGTH_TOLERANCE + "), got " + length
          + "; give the embedding as the embedder gives it");
    }
    return null;
  }

  private static String strip(String text) {
    int from = 0;
    int to = text.length();
    while (from < to && space(text.charAt(from))) {
      from++;
    }
    while (to > from && space(text.charAt(to - 1))) {
      to--;
    }
    return text.substring(from, to);
  }

  /** What Unicode calls white space, the next line character (U+0085) and the separators of ASCII too. */
  private static boolean space(char c) {
    return Character.isWhitespace(c) || Character.isSpaceChar(c) || c == '\u0085';
  }
}
