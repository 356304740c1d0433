package org.pocketface.sdk.manifest;

import com.eclipsesource.json.JsonObject;
import com.eclipsesource.json.JsonValue;
import com.eclipsesource.json.ParseException;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.HashSet;
import java.util.Set;

/** Parses JSON and refuses what parsers disagree on. */
final class Json {
  private static final int MOST_DIGITS = 4300; // more would take quadratic time; the Python runtime draws the line here too

  private static final int MOST_DEPTH = 64; // lists and objects within one another; the parser's own limit is another one

  private Json() {}

  /**
   * JSON in UTF-8. Refuses bytes that are not UTF-8, names given twice in an object, fractions past the range of a double,
   * and lists and objects more than {@link #MOST_DEPTH} deep within one another.
   *
   * @throws ManifestException where it is anything else
   */
  static JsonValue parse(ByteBuffer text) {
    try {
      // A new decoder reports what is no UTF-8; the constructor of String would replace it.
      JsonValue value = com.eclipsesource.json.Json.parse(StandardCharsets.UTF_8.newDecoder().decode(text).toString());
      check(value, 1);
      return value;
    } catch (CharacterCodingException error) {
      throw new ManifestException("expected JSON in UTF-8, got bytes that are not UTF-8");
    } catch (ParseException error) {
      throw new ManifestException("expected JSON in UTF-8, got something else (" + error.getMessage() + ")");
    }
  }

  /** {@code depth}: how deep `value` is where it is a list or an object; the outermost is 1. */
  private static void check(JsonValue value, int depth) {
    if ((value.isObject() || value.isArray()) && depth > MOST_DEPTH) {
      throw new ManifestException("expected lists and objects at most " + MOST_DEPTH + " deep within one another, got more");
    }
    if (value.isObject()) {
      Set<String> names = new HashSet<>();
      for (JsonObject.Member member : value.asObject()) {
        if (!names.add(member.getName())) {
          throw new ManifestException("expected each name once in an object, got " + Fields.shown(member.getName()) + " twice");
        }
        check(member.getValue(), depth + 1);
      }
    } else if (value.isArray()) {
      for (JsonValue item : value.asArray()) {
        check(item, depth + 1);
      }
    } else if (value.isNumber() && Fields.isWhole(value) && digits(value) > MOST_DIGITS) {
      throw new ManifestException("expected a number of at most " + MOST_DIGITS + " digits, got " + digits(value));
    } else if (value.isNumber() && !Fields.isWhole(value) && Double.isInfinite(value.asDouble())) {
      throw new ManifestException("expected a finite number, got " + value);
    }
  }
  /** Of a whole number: its sign is none. */
  private static int digits(JsonValue number) {
    String text = number.toString();
    return text.startsWith("-") ? text.length() - 1 : text.length();
  }
}
