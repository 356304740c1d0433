package org.pocketface.sdk.gallery;

import com.eclipsesource.json.Json;
import com.eclipsesource.json.JsonArray;
import com.eclipsesource.json.JsonObject;
import com.eclipsesource.json.JsonValue;
import com.eclipsesource.json.ParseException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;

/** What a people file seals, as JSON and back: docs/people-file.md. */
final class PeopleBody {
  private static final String UUID_PATTERN = "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}";
  private static final long MOST = (1L << 53) - 1;

  private PeopleBody() {}

  static byte[] encode(List<Entry> entries) {
    Map<TemplateModel, Integer> models = Entry.models(entries);
    JsonArray stated = new JsonArray();
    for (TemplateModel model : models.keySet()) {
      stated.add(new JsonObject().add("sha256", model.sha256()).add("variant", model.variant()).add("size", model.size()));
    }
    JsonArray people = new JsonArray();
    for (Entry entry : entries) {
      JsonObject metadata = new JsonObject();
      for (Map.Entry<String, String> pair : entry.metadata.entrySet()) {
        metadata.add(pair.getKey(), pair.getValue());
      }
      JsonArray templates = new JsonArray();
      for (Entry.Vector vector : entry.vectors) {
        ByteBuffer bytes = ByteBuffer.allocate(4 * vector.numbers.length).order(ByteOrder.LITTLE_ENDIAN);
        bytes.asFloatBuffer().put(vector.numbers);
        String numbers = Base64.getEncoder().encodeToString(bytes.array());
        templates.add(new JsonObject().add("model", models.get(vector.model)).add("created", vector.created).add("vector", numbers));
      }
      people.add(new JsonObject().add("id", entry.id.toString()).add("name", entry.name).add("created", entry.created)
          .add("metadata", metadata).add("templates", templates));
    }
    return new JsonObject().add("models", stated).add("people", people).toString().getBytes(StandardCharsets.UTF_8);
  }

  /**
   * The entries that `body` states: first whether they are stated rightly, then names and templates. Messages quote nothing of it.
   *
   * @throws GalleryException.Format where it is not as the page says
   * @throws GalleryException.Name
   * @throws GalleryException.Dimension
   * @throws GalleryException.Vector
   * @throws GalleryException.Normalisation
   */
  static List<Entry> decode(byte[] body) {
    List<Entry> read;
    try {
      JsonObject all = object(parse(body), "models", "people");
      List<TemplateModel> models = new ArrayList<TemplateModel>();
      for (JsonValue value : array(all.get("models"))) {
        JsonObject model = object(value, "sha256", "variant", "size");
        int size = (int) Math.min(count(model.get("size")), Integer.MAX_VALUE);
        models.add(new TemplateModel(text(model.get("sha256")), text(model.get("variant")), size));
      }
      read = new ArrayList<Entry>();
      for (JsonValue value : array(all.get("people"))) {
        read.add(person(value, models));
      }
    } catch (CharacterCodingException | ParseException | IllegalArgumentException | GalleryException.Model e) {
      throw broken();
    }
    List<Entry> checked = new ArrayList<Entry>(read.size());
    for (Entry entry : read) {
      String name = Entry.checkName(entry.name);
      Entry.checkMetadata(entry.metadata);
      for (Entry.Vector vector : entry.vectors) {
        GalleryException wrong = Entry.wrongWithTemplate(vector.model, vector.numbers);
        if (wrong != null) {
          throw wrong;
        }
      }
      checked.add(new Entry(entry.id, name, entry.created, entry.metadata, entry.vectors));
    }
    return checked;
  }

  private static JsonValue parse(byte[] body) throws CharacterCodingException {
    // A new decoder reports what is no UTF-8; the constructor of String would replace it.
    return Json.parse(StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(body)).toString());
  }

  private static Entry person(JsonValue value, List<TemplateModel> models) {
    JsonObject person = object(value, "id", "name", "created", "metadata", "templates");
    String id = text(person.get("id"));
    if (!id.matches(UUID_PATTERN)) {
      throw broken();
    }
    List<Entry.Vector> vectors = new ArrayList<Entry.Vector>();
    for (JsonValue template : array(person.get("templates"))) {
      vectors.add(vector(template, models));
    }
    if (vectors.isEmpty()) {
      throw broken();
    }
    return new Entry(UUID.fromString(id), text(person.get("name")), count(person.get("created")), metadata(person.get("metadata")), vectors);
  }

  private static Map<String, String> metadata(JsonValue value) {
    if (!value.isObject()) {
      throw broken();
    }
    Map<String, String> metadata = new LinkedHashMap<String, String>();
    for (JsonObject.Member member : value.asObject()) {
      String key = member.getName();
      if (metadata.put(key, text(member.getValue())) != null) {
        throw broken();
      }
    }
    return metadata;
  }

  private static Entry.Vector vector(JsonValue value, List<TemplateModel> models) {
    JsonObject template = object(value, "model", "created", "vector");
    long model = count(template.get("model"));
    String stated = text(template.get("vector"));
    byte[] bytes = Base64.getDecoder().decode(stated);
    // The one way to write these bytes: no padding left out, no bits behind the last byte.
    if (model >= models.size() || bytes.length % 4 != 0 || !Base64.getEncoder().encodeToString(bytes).equals(stated)) {
      throw broken();
    }
    float[] numbers = new float[bytes.length / 4];
    ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer().get(numbers);
    return new Entry.Vector(models.get((int) model), count(template.get("created")), numbers);
  }

  /** An object of these names, each once, and no others. */
  private static JsonObject object(JsonValue value, String... names) {
    if (!value.isObject() || value.asObject().size() != names.length || !value.asObject().names().containsAll(Arrays.asList(names))) {
      throw broken();
    }
    return value.asObject();
  }

  private static JsonArray array(JsonValue value) {
    if (!value.isArray()) {
      throw broken();
    }
    return value.asArray();
  }

  private static String text(JsonValue value) {
    if (!value.isString()) {
      throw broken();
    }
    return value.asString();
  }

  /** A whole number from 0 to 2^53 − 1. */
  private static long count(JsonValue value) {
    String digits = value.isNumber() ? value.toString() : "";
    if (!digits.matches("-0|0|[1-9][0-9]{0,15}") || Long.parseLong(digits) > MOST) {
      throw broken();
    }
    return Long.parseLong(digits);
  }

  private static GalleryException.Format broken() {
    return new GalleryException.Format("people: expected people as docs/people-file.md states them, got something else");
  }
}
