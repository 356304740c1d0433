package org.pocketface.sdk.manifest;

import com.eclipsesource.json.JsonArray;
import com.eclipsesource.json.JsonObject;
import com.eclipsesource.json.JsonValue;
import java.math.BigInteger;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.regex.Pattern;

/**
 * A JSON object of the manifest, read strictly: each field as the one type that the schema states for it.
 *
 * <p>The counterpart of {@code runtime_py/typed_json.py}. A whole number has neither point nor exponent, as written; true is no number;
 * null is a value of its own. Every method throws {@link ManifestException} for anything else.
 */
final class Fields {
  /** Most rows, columns, anchors, numbers of an embedding. */
  static final int MOST_SIZE = 4096;

  static final String PATH = "[a-z0-9][a-z0-9._-]*(/[a-z0-9][a-z0-9._-]*)*";
  static final String SHA256 = "[0-9a-f]{64}";
  private static final String NAME = "[a-z0-9][a-z0-9._-]*";
  private static final int MOST_SHOWN = 60;
  private static final long MOST_COUNT = (1L << 53) - 1;

  private final JsonObject object;
  private final String where;
  private final boolean ignoreUnknown;

  /** {@code where} names the object in messages; {@code ignoreUnknown} skips names that the schema does not have. */
  Fields(JsonValue value, String where, boolean ignoreUnknown) {
    if (!value.isObject()) {
      throw mismatch(where, "an object", value);
    }
    this.object = value.asObject();
    this.where = where;
    this.ignoreUnknown = ignoreUnknown;
  }

  /** Checks the object's names: all of {@code required}, perhaps some of {@code optional}, no others. */
  void expect(String[] required, String... optional) {
    TreeSet<String> unknown = new TreeSet<>(object.names());
    unknown.removeAll(Arrays.asList(required));
    unknown.removeAll(Arrays.asList(optional));
    if (!unknown.isEmpty() && !ignoreUnknown) {
      throw new ManifestException(where + "." + shown(unknown.first()) + ": expected a name of the schema, got one that it does not have");
    }
    for (String name : required) {
      if (!has(name)) {
        throw new ManifestException(where + "." + name + ": expected a value, it is missing");
      }
    }
  }

  /** What to throw where fields are right each by itself and do not fit one another. */
  ManifestException wrong(String message) {
    return new ManifestException(where + ": " + message);
  }

  boolean has(String name) {
    return object.get(name) != null;
  }

  /** Whether the field is absent or null. */
  boolean isNull(String name) {
    return !has(name) || object.get(name).isNull();
  }

  Fields object(String name) {
    return new Fields(object.get(name), place(name), ignoreUnknown);
  }

  String text(String name) {
    return text(object.get(name), place(name));
  }

  String name(String name) {
    return matched(object.get(name), place(name), NAME);
  }

  String path(String name) {
    return matched(object.get(name), place(name), PATH);
  }

  String sha256(String name) {
    return matched(object.get(name), place(name), SHA256);
  }

  String matching(String name, String regex) {
    return matched(object.get(name), place(name), regex);
  }

  String oneOf(String name, String... values) {
    JsonValue value = object.get(name);
    if (!value.isString() || !Arrays.asList(values).contains(value.asString())) {
      throw mismatch(place(name), "one of " + String.join(", ", values), value);
    }
    return value.asString();
  }

  boolean flag(String name) {
    JsonValue value = object.get(name);
    if (!value.isBoolean()) {
      throw mismatch(place(name), "true or false", value);
    }
    return value.asBoolean();
  }

  /** 0 to 2^53 − 1: what every reader of JSON holds exactly. */
  long count(String name) {
    return integer(name, 0, MOST_COUNT);
  }

  int size(String name) {
    return (int) integer(name, 1, MOST_SIZE);
  }

  long integer(String name, long low, long high) {
    return integer(object.get(name), place(name), low, high);
  }

  /** Any finite number. */
  double number(String name) {
    return number(object.get(name), place(name));
  }

  double number(String name, double low, double high) {
    double result = number(name);
    if (!(low <= result && result <= high)) {
      throw mismatch(place(name), "a number from " + low + " to " + high, object.get(name));
    }
    return result;
  }

  double share(String name) {
    return number(name, 0, 1);
  }

  double cosine(String name) {
    return number(name, -1, 1);
  }

  /** A list of objects, {@code least} or more; empty where the field is absent. */
  List<Fields> items(String name, int least) {
    List<Fields> result = new ArrayList<>();
    for (JsonValue item : list(name)) {
      result.add(new Fields(item, place(name) + "[" + result.size() + "]", ignoreUnknown));
    }
    atLeast(name, least, result.size());
    return result;
  }

  /** A list of texts; empty where the field is absent. */
  List<String> textList(String name) {
    List<String> result = new ArrayList<>();
    for (JsonValue item : list(name)) {
      result.add(text(item, place(name) + "[" + result.size() + "]"));
    }
    return Collections.unmodifiableList(result);
  }

  List<String> names(String name, int least) {
    List<String> result = new ArrayList<>();
    for (JsonValue item : list(name)) {
      result.add(matched(item, place(name) + "[" + result.size() + "]", NAME));
    }
    atLeast(name, least, result.size());
    return Collections.unmodifiableList(result);
  }

  /** One or more whole numbers from 1 to {@code high}. */
  List<Integer> sizes(String name, int high) {
    List<Integer> result = new ArrayList<>();
    for (JsonValue item : list(name)) {
      result.add((int) integer(item, place(name) + "[" + result.size() + "]", 1, high));
    }
    atLeast(name, 1, result.size());
    return Collections.unmodifiableList(result);
  }

  /** Exactly {@code count} numbers. */
  List<Double> numbers(String name, int count) {
    return numbers(object.get(name), place(name), count);
  }

  /** A list of points (x, y). */
  List<List<Double>> points(String name) {
    List<List<Double>> result = new ArrayList<>();
    for (JsonValue item : list(name)) {
      result.add(numbers(item, place(name) + "[" + result.size() + "]", 2));
    }
    return Collections.unmodifiableList(result);
  }

  /** An object whose values are texts, in its own order. */
  Map<String, String> texts(String name) {
    Map<String, String> result = new LinkedHashMap<>();
    for (JsonObject.Member member : mapping(name)) {
      result.put(member.getName(), text(member.getValue(), place(name) + "." + shown(member.getName())));
    }
    return Collections.unmodifiableMap(result);
  }

  /** An object of whatever JSON holds: maps, lists, texts, doubles or BigIntegers, booleans, null. */
  Map<String, Object> values(String name) {
    return plain(mapping(name));
  }

  private static Map<String, Object> plain(JsonObject object) {
    Map<String, Object> result = new LinkedHashMap<>();
    for (JsonObject.Member member : object) {
      result.put(member.getName(), plain(member.getValue()));
    }
    return Collections.unmodifiableMap(result);
  }

  private static Object plain(JsonValue value) {
    if (value.isObject()) {
      return plain(value.asObject());
    }
    if (value.isArray()) {
      List<Object> result = new ArrayList<>();
      for (JsonValue item : value.asArray()) {
        result.add(plain(item));
      }
      return Collections.unmodifiableList(result);
    }
    if (value.isNumber()) {
      return isWhole(value) ? (Object) new BigInteger(value.toString()) : (Object) value.asDouble();
    }
    if (value.isBoolean()) {
      return value.asBoolean();
    }
    return value.isNull() ? null : value.asString();
  }

  private JsonObject mapping(String name) {
    JsonValue value = object.get(name);
    if (!value.isObject()) {
      throw mismatch(place(name), "an object", value);
    }
    return value.asObject();
  }

  private JsonArray list(String name) {
    JsonValue value = object.get(name);
    if (value == null) {
      return new JsonArray();
    }
    if (!value.isArray()) {
      throw mismatch(place(name), "a list", value);
    }
    return value.asArray();
  }

  private void atLeast(String name, int least, int count) {
    if (count < least) {
      throw mismatch(place(name), "at least " + least + " items", object.get(name));
    }
  }

  private String place(String name) {
    return where + "." + name;
  }

  private static String text(JsonValue value, String where) {
    if (!value.isString()) {
      throw mismatch(where, "text", value);
    }
    return value.asString();
  }

  private static String matched(JsonValue value, String where, String regex) {
    String text = text(value, where);
    if (!Pattern.matches(regex, text)) {
      throw mismatch(where, "text like " + regex, value);
    }
    return text;
  }

  static boolean isWhole(JsonValue number) {
    String text = number.toString();
    return text.indexOf('.') < 0 && text.indexOf('e') < 0 && text.indexOf('E') < 0;
  }

  private static long integer(JsonValue value, String where, long low, long high) {
    if (!value.isNumber() || !isWhole(value)) {
      throw mismatch(where, "a whole number", value);
    }
    BigInteger number = new BigInteger(value.toString());
    if (number.compareTo(BigInteger.valueOf(low)) < 0 || number.compareTo(BigInteger.valueOf(high)) > 0) {
      throw mismatch(where, "a number from " + low + " to " + high, value);
    }
    return number.longValue();
  }

  private static double number(JsonValue value, String where) {
    if (!value.isNumber()) {
      throw mismatch(where, "a number", value);
    }
    double number = value.asDouble();
    if (Double.isInfinite(number)) {
      throw mismatch(where, "a number in the range of a double", value);
    }
    return number;
  }

  private static List<Double> numbers(JsonValue value, String where, int count) {
    if (!value.isArray() || value.asArray().size() != count) {
      throw mismatch(where, "a list of " + count + " items", value);
    }
    List<Double> result = new ArrayList<>();
    for (JsonValue item : value.asArray()) {
      result.add(number(item, where + "[" + result.size() + "]"));
    }
    return Collections.unmodifiableList(result);
  }

  private static ManifestException mismatch(String where, String expected, JsonValue value) {
    String got = value.isArray() ? "a list" : value.isObject() ? "an object" : shown(value.toString());
    return new ManifestException(where + ": expected " + expected + ", got " + got);
  }

  /** A text from the file in a message: on one line, plain and short, whoever wrote it. */
  static String shown(String text) {
    StringBuilder plain = new StringBuilder();
    for (int at = 0; at < text.length() && plain.length() <= MOST_SHOWN; at++) {
      char letter = text.charAt(at);
      plain.append(letter >= ' ' && letter <= '~' ? String.valueOf(letter) : String.format("\\u%04x", (int) letter));
    }
    return plain.length() <= MOST_SHOWN ? plain.toString() : plain.substring(0, MOST_SHOWN - 3) + "...";
  }
}
