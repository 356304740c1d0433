package org.pocketface.sdk.gallery;

import static org.junit.Assert.assertArrayEquals;
import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertThrows;

import com.eclipsesource.json.Json;
import com.eclipsesource.json.JsonArray;
import com.eclipsesource.json.JsonObject;
import com.eclipsesource.json.JsonValue;
import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.util.Collections;
import java.util.Map;
import java.util.Random;
import org.junit.Assume;
import org.junit.Rule;
import org.junit.Test;
import org.junit.rules.TemporaryFolder;
import org.pocketface.sdk.PocketFaceException;

/** People go from gallery to gallery, and from a desktop to a phone and back, whole: docs/people-file.md. */
public final class PeopleFileTest {
  @Rule public final TemporaryFolder folder = new TemporaryFolder();

  private final Random random = new Random(8);

  private Gallery gallery(String name) {
    return Gallery.open(new File(folder.getRoot(), name), new HeldKey());
  }

  private static char[] passphrase() {
    return "correct horse".toCharArray();
  }

  private Gallery filled() {
    Gallery gallery = gallery("first");
    Map<String, String> metadata = Collections.singletonMap("room", "12");
    Person alice = gallery.enrol("Alice", Samples.FIRST, Samples.templates(random, Samples.FIRST, 2), metadata);
    gallery.add(alice.id(), Samples.SECOND, Samples.templates(random, Samples.SECOND, 1));
    gallery.enrol("Bob", Samples.FIRST, Samples.templates(random, Samples.FIRST, 1));
    return gallery;
  }

  @Test
  public void whatIsImportedIsWhatWasExported() {
    Gallery first = filled();
    byte[] file = first.exportPeople(passphrase());
    assertFalse(new String(file, StandardCharsets.ISO_8859_1).contains("Alice"));
    Gallery second = gallery("second");
    assertEquals(2, second.importPeople(file, passphrase(), Taken.REFUSE).enrolled());
    assertEquals(Samples.contents(first), Samples.contents(second));
    Person alice = second.named("Alice");
    assertEquals(first.named("Alice").id(), alice.id());
    assertEquals(first.named("Alice").created(), alice.created());
    assertEquals(Collections.singletonMap("room", "12"), alice.metadata());
  }

  @Test
  public void peopleWhoAreHereAlready() {
    byte[] file = filled().exportPeople(passphrase());
    Gallery second = gallery("second");
    second.enrol("Alice", Samples.FIRST, Samples.templates(random, Samples.FIRST, 1));
    String before = Samples.contents(second);
    assertCode("gallery.duplicate", second, file, passphrase());
    assertEquals("nobody is taken in where somebody is refused", before, Samples.contents(second));
    assertEquals(1, second.importPeople(file, passphrase(), Taken.SKIP).skipped());
    assertEquals(1, second.named("Alice").templates().size());
    assertEquals(2, second.importPeople(file, passphrase(), Taken.ADD).added());
    assertEquals(4, second.named("Alice").templates().size());
    second.importPeople(file, passphrase(), Taken.ADD);
    assertEquals("what is there is not added twice", 4, second.named("Alice").templates().size());
    assertEquals(2, second.importPeople(file, passphrase(), Taken.REPLACE).replaced());
    assertEquals(3, second.named("Alice").templates().size());
  }

  private static void assertCode(String code, Gallery gallery, byte[] file, char[] passphrase) {
    PocketFaceException error =
        assertThrows(PocketFaceException.class, () -> gallery.importPeople(file, passphrase, Taken.REFUSE));
    assertEquals(code, error.code());
  }

  @Test
  public void aPassphraseIsTheSameHoweverItsAccentsAreWritten() {
    byte[] file = filled().exportPeople("caf\u00e9".toCharArray());
    assertEquals(2, gallery("second").importPeople(file, "cafe\u0301".toCharArray(), Taken.REFUSE).enrolled());
    assertCode("gallery.authentication", gallery("third"), file, "cafe".toCharArray());
    assertCode("gallery.key", gallery("third"), file, new char[0]);
    assertCode("gallery.key", gallery("third"), file, new char[] {'\ud800'});
  }

  // What tests/android/people.py wrote

  private static File goldens() {
    String named = System.getProperty("pocketface.goldens", "");
    Assume.assumeFalse("left out: -Dpocketface.goldens names no folder of tests/android/goldens.py", named.isEmpty());
    return new File(named, "people");
  }

  private static JsonObject stated() throws IOException {
    byte[] text = Files.readAllBytes(new File(goldens(), "people.json").toPath());
    return Json.parse(new String(text, StandardCharsets.UTF_8)).asObject();
  }

  @Test
  public void aDesktopsPeopleAreReadAndGoBack() throws IOException {
    JsonObject stated = stated();
    char[] passphrase = stated.get("passphrase").asString().toCharArray();
    byte[] file = Files.readAllBytes(new File(goldens(), "desktop.pfpeople").toPath());
    JsonArray people = stated.get("people").asArray();
    HeldKey key = new HeldKey();
    File phone = new File(folder.getRoot(), "phone");
    assertEquals(people.size(), Gallery.open(phone, key).importPeople(file, passphrase, Taken.REFUSE).enrolled());
    try (Gallery again = Gallery.open(phone, key)) {
      for (JsonValue person : people) {
        check(again, person.asObject());
      }
      Files.write(new File(goldens(), "phone.pfpeople").toPath(), again.exportPeople(passphrase));
    }
  }

  private static void check(Gallery gallery, JsonObject stated) {
    Person person = gallery.person(stated.get("id").asString());
    assertEquals(stated.get("name").asString(), person.name());
    assertEquals(stated.get("created").asLong(), person.created());
    assertEquals(stated.get("metadata").asObject().size(), person.metadata().size());
    for (JsonObject.Member member : stated.get("metadata").asObject()) {
      assertEquals(member.getValue().asString(), person.metadata().get(member.getName()));
    }
    JsonArray templates = stated.get("templates").asArray();
    assertEquals(templates.size(), person.templates().size());
    for (TemplateModel model : gallery.models()) {
      try (Templates held = gallery.templatesFor(model)) {
        int at = 0;
        for (JsonValue value : templates) {
          if (value.asObject().get("model").asObject().get("sha256").asString().equals(model.sha256())) {
            while (!held.owner(at).equals(person.id())) {
              at++;
            }
            assertArrayEquals(numbers(value.asObject().get("vector").asArray()), held.template(at++), 0f);
          }
        }
      }
    }
  }

  private static float[] numbers(JsonArray values) {
    float[] numbers = new float[values.size()];
    for (int at = 0; at < numbers.length; at++) {
      numbers[at] = values.get(at).asFloat();
    }
    return numbers;
  }

  @Test
  public void whatPythonRefusesIsRefusedWithTheSameCode() throws IOException {
    Gallery gallery = gallery("phone");
    for (JsonValue value : stated().get("refused").asArray()) {
      JsonObject refused = value.asObject();
      byte[] file = Files.readAllBytes(new File(goldens(), refused.get("file").asString()).toPath());
      PocketFaceException error = assertThrows(refused.toString(), PocketFaceException.class,
          () -> gallery.importPeople(file, refused.get("passphrase").asString().toCharArray(), Taken.REFUSE));
      assertEquals(refused.toString(), refused.get("code").asString(), error.code());
    }
    assertEquals(0, gallery.people().size());
  }
}
