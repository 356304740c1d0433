package org.pocketface.sdk.gallery;

import static org.junit.Assert.assertArrayEquals;
import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertNotEquals;
import static org.junit.Assert.assertNull;
import static org.junit.Assert.assertThrows;
import static org.junit.Assert.assertTrue;

import java.io.File;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.security.GeneralSecurityException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import javax.crypto.SecretKey;
import org.junit.Before;
import org.junit.Rule;
import org.junit.Test;
import org.junit.function.ThrowingRunnable;
import org.junit.rules.TemporaryFolder;
import org.pocketface.sdk.PocketFaceException;

/** What a gallery does, on a real file. */
public final class GalleryTest {
  @Rule public final TemporaryFolder folder = new TemporaryFolder();

  private final HeldKey key = new HeldKey();
  private final Random random = new Random(1);
  private File file;

  @Before
  public void chooseFile() {
    file = new File(folder.getRoot(), "gallery.pfga");
  }

  private Gallery open() {
    return Gallery.open(file, key);
  }

  private List<float[]> templates(int count) {
    return Samples.templates(random, Samples.FIRST, count);
  }

  private static void assertCode(String code, ThrowingRunnable what) {
    PocketFaceException error = assertThrows(PocketFaceException.class, what);
    assertEquals(code, error.code());
    assertFalse("one line", error.getMessage().contains("\n"));
  }

  private static List<String> names(List<Person> people) {
    List<String> names = new ArrayList<>();
    for (Person person : people) {
      names.add(person.name());
    }
    return names;
  }

  @Test
  public void whatWasEnrolledIsThereAfterReopeningBitForBit() {
    List<float[]> given = templates(3);
    long before = System.currentTimeMillis();
    Person alice;
    try (Gallery gallery = open()) {
      alice = gallery.enrol("Alice", Samples.FIRST, given);
    }
    try (Gallery gallery = open();
        Templates templates = gallery.templatesFor(Samples.FIRST)) {
      Person found = gallery.person(alice.id());
      assertEquals("Alice", found.name());
      assertTrue(found.created() >= before && found.created() <= System.currentTimeMillis());
      assertEquals(3, found.templates().size());
      assertEquals(Samples.FIRST, found.templates().get(0).model());
      assertEquals("int8", found.templates().get(0).model().variant());
      for (int at = 0; at < 3; at++) {
        assertArrayEquals(given.get(at), templates.template(at), 0f);
        assertEquals(alice.id(), templates.owner(at));
      }
    }
  }

  @Test
  public void aGalleryThatNobodyIsInHasNoFile() {
    assertTrue(open().people().isEmpty());
    assertFalse(file.exists());
    assertNull("nor a key", key.find());
  }

  @Test
  public void everySequenceOfChangesGivesWhatAPlainMapGives() {
    Map<String, List<float[]>> expected = new LinkedHashMap<>();
    Map<String, String> ids = new LinkedHashMap<>();
    Gallery[] galleries = {open(), open()};
    for (int turn = 0; turn < 400; turn++) {
      int which = random.nextInt(2);
      if (random.nextInt(10) == 0) {
        galleries[which].close();
        galleries[which] = open();
      }
      change(galleries[which], expected, ids);
      // Both see it, the one that made the change and the other one.
      check(galleries[turn % 2], expected);
    }
    assertTrue("the walk met a crowd", expected.size() > 3);
  }

  /** One change drawn at random, made to the gallery and to the map of name → templates. */
  private void change(Gallery gallery, Map<String, List<float[]>> expected, Map<String, String> ids) {
    String name = "person " + random.nextInt(12);
    List<float[]> given = templates(1 + random.nextInt(3));
    boolean known = expected.containsKey(name);
    String id = known ? ids.get(name) : "00000000-0000-0000-0000-000000000000";
    int kind = random.nextInt(40);
    if (kind == 0) {
      gallery.deleteAll();
      expected.clear();
    } else if (!known && kind < 30) {
      ids.put(name, gallery.enrol(name, Samples.FIRST, given).id());
      expected.put(name, given);
    } else if (!known) {
      assertCode("gallery.person", () -> gallery.delete(id));
      assertCode("gallery.person", () -> gallery.add(id, Samples.FIRST, given));
      assertCode("gallery.person", () -> gallery.rename(id, name));
    } else if (kind < 8) {
      assertCode("gallery.duplicate", () -> gallery.enrol(name, Samples.FIRST, given));
    } else if (kind < 16) {
      gallery.add(id, Samples.FIRST, given);
      List<float[]> all = new ArrayList<>(expected.get(name));
      all.addAll(given);
      expected.put(name, all);
    } else if (kind < 24) {
      gallery.reEnrol(id, Samples.FIRST, given);
      expected.put(name, given);
    } else {
      gallery.delete(id);
      expected.remove(name);
    }
  }

  private static void check(Gallery gallery, Map<String, List<float[]>> expected) {
    assertEquals(new ArrayList<>(expected.keySet()), names(gallery.people()));
    try (Templates templates = gallery.templatesFor(Samples.FIRST)) {
      int at = 0;
      for (List<float[]> vectors : expected.values()) {
        for (float[] vector : vectors) {
          assertArrayEquals(vector, templates.template(at++), 0f);
        }
      }
      assertEquals(at, templates.size());
      assertEquals(expected.size(), templates.people());
    }
  }

  @Test
  public void renamingKeepsTheIdAndRefusesAnothersName() {
    Gallery gallery = open();
    Person alice = gallery.enrol("Alice", Samples.FIRST, templates(1));
    gallery.enrol("Bob", Samples.FIRST, templates(1));
    assertEquals(alice.id(), gallery.rename(alice.id(), "Alicia").id());
    assertCode("gallery.duplicate", () -> gallery.rename(alice.id(), "Bob"));
    assertEquals("to one's own name is no change", "Alicia", gallery.rename(alice.id(), "Alicia").name());
    assertEquals(Arrays.asList("Alicia", "Bob"), names(open().people()));
  }

  @Test
  public void namesThatLookTheSameAreTheSame() {
    Gallery gallery = open();
    Person person = gallery.enrol(" Zoe\u0308 ", Samples.FIRST, templates(1));
    assertEquals("Zo\u00eb", person.name());
    assertCode("gallery.duplicate", () -> gallery.enrol("Zo\u00eb", Samples.FIRST, templates(1)));
    // All that Python's str.strip takes away.
    String space = "\t\013\f\034\035\036\037\u0085\u1680\u2000\u2028\u2029\u202f\u205f\u3000";
    assertEquals("Ada", gallery.rename(person.id(), space + "Ada" + space).name());
    gallery.enrol("\ud83d\ude00", Samples.FIRST, templates(1));
    assertEquals("\ud83d\ude00", open().people().get(1).name());
  }

  @Test
  public void whatIsNoNameIsRefused() {
    String tooLong = new String(new char[128]).replace("\0", "\u00e9");
    for (String name : new String[] {"", " \u00a0", "two\nlines", "bell\u0007", "half \ud83d", "line\u2028separator", tooLong}) {
      assertCode("gallery.name", () -> open().enrol(name, Samples.FIRST, templates(1)));
    }
    assertFalse("and nothing was written", file.exists());
  }

  @Test
  public void whatIsNoTemplateIsRefusedByItsKind() {
    assertCode("gallery.vector", () -> open().enrol("A", Samples.FIRST, Collections.<float[]>emptyList()));
    assertCode("gallery.vector", () -> enrol(Float.NaN, 0, 0, 1));
    assertCode("gallery.vector", () -> enrol(Float.POSITIVE_INFINITY, 0, 0, 1));
    assertCode("gallery.dimension", () -> enrol(1, 0, 0));
    assertCode("gallery.dimension", () -> enrol(1, 0, 0, 0, 0));
    assertCode("gallery.normalisation", () -> enrol(0, 0, 0, 0));
    assertCode("gallery.normalisation", () -> enrol(0.5f, 0.5f, 0.5f, 0.51f));
    assertCode("gallery.model", () -> new TemplateModel("ABC", "int8", 4));
    assertCode("gallery.model", () -> new TemplateModel(Samples.FIRST.sha256(), "no name", 4));
    assertCode("gallery.model", () -> new TemplateModel(Samples.FIRST.sha256(), "int8", 0));
    assertFalse("and nothing was written", file.exists());
  }

  private void enrol(float... template) {
    open().enrol("A", Samples.FIRST, Collections.singletonList(template));
  }

  @Test
  public void aModelHasOneSize() {
    Gallery gallery = open();
    gallery.enrol("Alice", Samples.FIRST, templates(1));
    TemplateModel other = new TemplateModel(Samples.FIRST.sha256(), "int8", 6);
    assertCode("gallery.model", () -> gallery.enrol("Bob", other, Samples.templates(random, other, 1)));
    assertCode("gallery.model", () -> gallery.templatesFor(other));
  }

  @Test
  public void afterANewModelPeopleAreListedAndTheOldModelGoesOnMatchingThem() {
    Gallery gallery = open();
    float[] old = Samples.template(random, Samples.FIRST);
    Person alice = gallery.enrol("Alice", Samples.FIRST, Collections.singletonList(old));
    Person bob = gallery.enrol("Bob", Samples.FIRST, templates(2));
    List<String> current = Collections.singletonList(Samples.SECOND.sha256());
    assertEquals(Arrays.asList("Alice", "Bob"), names(gallery.enrolAgain(current)));
    assertTrue(gallery.enrolAgain(Arrays.asList(Samples.FIRST.sha256(), Samples.SECOND.sha256())).isEmpty());

    gallery.reEnrol(bob.id(), Samples.SECOND, Samples.templates(random, Samples.SECOND, 1));
    assertEquals(Collections.singletonList("Alice"), names(gallery.enrolAgain(current)));
    assertEquals(bob.id(), gallery.person(bob.id()).id());
    try (Templates before = gallery.templatesFor(Samples.FIRST);
        Templates after = gallery.templatesFor(Samples.SECOND)) {
      assertEquals("Bob's old templates are gone", 1, before.size());
      assertEquals(alice.id(), new Matcher(before).top(old, 1).get(0).personId());
      assertEquals(1, after.size());
      assertEquals(bob.id(), after.owner(0));
    }
    assertEquals(Arrays.asList(Samples.FIRST, Samples.SECOND), gallery.models());
  }

  @Test
  public void deletingAllTakesTheFileAndTheKey() throws GeneralSecurityException {
    Gallery gallery = open();
    gallery.enrol("Alice", Samples.FIRST, templates(1));
    SecretKey first = key.find();
    gallery.deleteAll();
    assertNull(key.find());
    assertTrue(gallery.people().isEmpty());
    assertArrayEquals(new String[] {"gallery.pfga.lock"}, folder.getRoot().list());
    gallery.enrol("Bob", Samples.FIRST, templates(1));
    assertNotEquals("a key of its own", first, key.find());
    assertEquals(Collections.singletonList("Bob"), names(open().people()));
  }

  @Test
  public void aDamagedGalleryCanBeDestroyedAndBegunAnew() throws Exception {
    open().enrol("Alice", Samples.FIRST, templates(1));
    Files.write(file.toPath(), new byte[200]);
    assertCode("gallery.format", this::open);
    Gallery.destroy(file, key);
    assertNull(key.find());
    open().enrol("Bob", Samples.FIRST, templates(1));
    assertEquals(Collections.singletonList("Bob"), names(open().people()));
  }

  @Test
  public void anotherKeyOrNoneIsSaid() throws GeneralSecurityException {
    open().enrol("Alice", Samples.FIRST, templates(1));
    HeldKey none = new HeldKey();
    assertCode("gallery.key", () -> Gallery.open(file, none));
    HeldKey other = new HeldKey();
    other.create();
    other.create();
    assertCode("gallery.authentication", () -> Gallery.open(file, other));
  }

  @Test
  public void aKeyStoreThatRefusesIsSaidAndNothingIsWritten() throws Exception {
    Gallery gallery = open();
    gallery.enrol("Alice", Samples.FIRST, templates(1));
    byte[] before = Files.readAllBytes(file.toPath());
    GalleryKey refusing =
        new GalleryKey() {
          @Override
          public SecretKey find() throws GeneralSecurityException {
            throw new GeneralSecurityException("the phone is locked");
          }

          @Override
          public SecretKey create() throws GeneralSecurityException {
            throw new GeneralSecurityException("the phone is locked");
          }

          @Override
          public void forget() throws GeneralSecurityException {
            throw new GeneralSecurityException("the phone is locked");
          }
        };
    assertCode("gallery.key", () -> Gallery.open(file, refusing));
    key.forget();
    assertCode("gallery.key", () -> gallery.enrol("Bob", Samples.FIRST, templates(1)));
    assertArrayEquals(before, Files.readAllBytes(file.toPath()));
  }

  @Test
  public void noNameNoTemplateAndNoNonceIsSeenInTheFile() throws Exception {
    Gallery gallery = open();
    gallery.enrol("Alice in plain sight", Samples.FIRST, templates(1));
    String first = new String(Files.readAllBytes(file.toPath()), StandardCharsets.ISO_8859_1);
    gallery.rename(gallery.people().get(0).id(), "Alice in plain sight");
    String second = new String(Files.readAllBytes(file.toPath()), StandardCharsets.ISO_8859_1);
    assertFalse(first.contains("Alice"));
    assertFalse(first.contains(Samples.FIRST.variant()));
    assertEquals("the same people", first.length(), second.length());
    assertNotEquals("nonce of the key", first.substring(8, 20), second.substring(8, 20));
    assertNotEquals("data key", first.substring(20, 68), second.substring(20, 68));
    assertNotEquals("nonce of the body", first.substring(68, 80), second.substring(68, 80));
  }

  @Test
  public void nothingPrintsWhoIsThere() {
    Gallery gallery = open();
    float[] template = Samples.template(random, Samples.FIRST);
    Person person = gallery.enrol("Alice", Samples.FIRST, Collections.singletonList(template));
    try (Templates templates = gallery.templatesFor(Samples.FIRST)) {
      Match match = new Matcher(templates).identify(template, OperatingPoint.atSimilarity(0.5), 1);
      for (Object shown : new Object[] {gallery, person, templates, match, match.best(), match.candidates()}) {
        assertFalse(shown.toString(), shown.toString().contains("Alice") || shown.toString().contains(person.id()));
      }
    }
    PocketFaceException error = assertThrows(PocketFaceException.class, () -> gallery.enrol("Alice", Samples.FIRST, templates(1)));
    assertFalse(error.getMessage().contains("Alice"));
  }

  @Test
  public void closedMeansClosed() {
    Gallery gallery = open();
    gallery.enrol("Alice", Samples.FIRST, templates(1));
    Templates templates = gallery.templatesFor(Samples.FIRST);
    gallery.close();
    gallery.close();
    assertCode("gallery.closed", gallery::people);
    assertCode("gallery.closed", () -> gallery.enrol("Bob", Samples.FIRST, templates(1)));
    assertCode("gallery.closed", gallery::deleteAll);
    assertEquals("what was taken from it stays", 1, new Matcher(templates).top(templates.template(0), 1).size());
    templates.close();
    assertCode("gallery.closed", () -> templates.template(0));
  }

  @Test
  public void whatIsGivenIsCopied() {
    Gallery gallery = open();
    float[] given = {1, 0, 0, 0};
    gallery.enrol("Alice", Samples.FIRST, Collections.singletonList(given));
    given[0] = Float.NaN;
    try (Templates templates = gallery.templatesFor(Samples.FIRST)) {
      assertArrayEquals(new float[] {1, 0, 0, 0}, templates.template(0), 0f);
      templates.template(0)[0] = Float.NaN;
      assertArrayEquals(new float[] {1, 0, 0, 0}, templates.template(0), 0f);
    }
  }

  @Test
  public void threadsWithAGalleryEachLoseNothing() throws Exception {
    ExecutorService threads = Executors.newFixedThreadPool(4);
    List<Future<?>> writers = new ArrayList<>();
    for (int writer = 0; writer < 4; writer++) {
      String name = "writer " + writer + " ";
      writers.add(
          threads.submit(
              () -> {
                try (Gallery own = open()) {
                  for (int number = 0; number < 10; number++) {
                    own.enrol(name + number, Samples.FIRST, Samples.templates(new Random(number), Samples.FIRST, 1));
                  }
                }
              }));
    }
    for (Future<?> writer : writers) {
      writer.get();
    }
    threads.shutdown();
    assertEquals(40, open().people().size());
    assertEquals(40, open().templatesFor(Samples.FIRST).people());
  }

  @Test
  public void aFolderThatIsNotThereIsSaid() {
    File nowhere = new File(folder.getRoot(), "no/such/gallery.pfga");
    assertCode("gallery.read", () -> Gallery.open(nowhere, key));
  }
}
