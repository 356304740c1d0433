package org.pocketface.demo;

import static org.junit.Assert.assertArrayEquals;
import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertNull;
import static org.junit.Assert.assertThrows;
import static org.junit.Assert.assertTrue;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.Test;
import org.pocketface.demo.Enrolment.Hint;
import org.pocketface.demo.Enrolment.Step;
import org.pocketface.sdk.Pixels;

public final class EnrolmentTest {
  private static final double THRESHOLD = 0.5;

  private final Enrolment enrolment = new Enrolment(THRESHOLD);
  private long now = 1000;

  @Test
  public void nothingIsTakenBeforeConsentAndAName() {
    enrolment.look(sighting(face(0)));
    assertTrue(enrolment.templates().isEmpty());
    assertThrows(IllegalStateException.class, () -> enrolment.name("Ada"));
    enrolment.agree();
    enrolment.look(sighting(face(0)));
    assertTrue(enrolment.templates().isEmpty());
    assertThrows(IllegalArgumentException.class, () -> enrolment.name("  "));
    enrolment.name(" Ada ");
    assertEquals("Ada", enrolment.name());
    assertEquals(Step.CAPTURE, enrolment.step());
  }

  @Test
  public void fiveGoodPicturesOfOneFaceAreTakenAndNoMore() {
    begin();
    for (int picture = 0; picture < Enrolment.PICTURES; picture++) {
      assertEquals(Step.CAPTURE, enrolment.step());
      enrolment.look(sighting(face(0.1 * picture)));
      assertEquals(Hint.TAKEN, enrolment.hint());
    }
    assertEquals(Step.STORE, enrolment.step());
    assertEquals(Enrolment.PICTURES, enrolment.templates().size());
    enrolment.look(sighting(face(0)));
    assertEquals(Enrolment.PICTURES, enrolment.templates().size());
  }

  @Test
  public void whatIsWrongWithAFrameIsSaidAndItIsNotTaken() {
    begin();
    enrolment.look(sighting());
    assertEquals(Hint.NO_FACE, enrolment.hint());
    enrolment.look(sighting(face(0), face(0)));
    assertEquals(Hint.SEVERAL_FACES, enrolment.hint());
    enrolment.look(sighting(poor()));
    assertEquals(Hint.POOR, enrolment.hint());
    assertEquals(Quality.Flaw.FLAT, enrolment.flaw());
    assertTrue(enrolment.templates().isEmpty());
    enrolment.look(sighting(face(0)));
    assertNull(enrolment.flaw());
    assertEquals(1, enrolment.templates().size());
  }

  @Test
  public void picturesFollowOneAnotherNoFasterThanThePause() {
    begin();
    enrolment.look(sighting(face(0)));
    now -= 1;
    enrolment.look(sighting(face(0)));
    assertEquals(Hint.WAIT, enrolment.hint());
    now += 1 - Enrolment.PAUSE_MILLISECONDS;
    enrolment.look(sighting(face(0)));
    assertEquals(Hint.TAKEN, enrolment.hint());
  }

  @Test
  public void somebodyElsesFaceIsNotMixedIn() {
    begin();
    enrolment.look(sighting(face(0)));
    enrolment.look(sighting(face(Math.acos(THRESHOLD) + 0.01)));
    assertEquals(Hint.OTHER_FACE, enrolment.hint());
    enrolment.look(sighting(face(Math.acos(THRESHOLD) - 0.01)));
    assertEquals(Hint.TAKEN, enrolment.hint());
  }

  @Test
  public void withoutAThresholdNeitherFacesNorPeopleAreToldApart() {
    Enrolment unchecked = new Enrolment(Double.NaN);
    unchecked.agree();
    unchecked.name("Ada");
    for (int picture = 0; picture < Enrolment.PICTURES; picture++) {
      unchecked.look(sighting(face(picture, new Nearest("id", "Bob", 0.99))));
    }
    assertFalse(unchecked.checks());
    assertEquals(Step.STORE, unchecked.step());
    assertNull(unchecked.duplicate());
  }

  @Test
  public void aFaceThatIsEnrolledAlreadyIsAskedAbout() {
    begin();
    capture(new Nearest("id", "Bob", 0.7), new Nearest("id2", "Eve", 0.8), new Nearest("id", "Bob", 0.2));
    assertEquals(Step.DUPLICATE, enrolment.step());
    assertEquals("Eve", enrolment.duplicate().name());
    enrolment.samePerson();
    assertEquals(Step.STORE, enrolment.step());
    assertEquals("id2", enrolment.personId());
    assertEquals("Eve", enrolment.name());
    assertFalse(enrolment.replaces());
  }

  @Test
  public void aTwinIsEnrolledUnderTheNameThatWasGiven() {
    begin();
    capture(new Nearest("id", "Bob", 0.7));
    enrolment.otherPerson();
    assertNull(enrolment.personId());
    assertEquals("Ada", enrolment.name());
  }

  @Test
  public void whoEnrolsAgainIsNoDuplicateOfThemselves() {
    Enrolment again = Enrolment.again(THRESHOLD, "id", "Bob");
    again.agree();
    assertEquals(Step.CAPTURE, again.step());
    for (int picture = 0; picture < Enrolment.PICTURES; picture++) {
      again.look(sighting(face(0, new Nearest("id", "Bob", 0.9))));
    }
    assertEquals(Step.STORE, again.step());
    assertTrue(again.replaces());
    assertEquals("id", again.personId());
  }

  @Test
  public void aNameThatWasRefusedIsAskedForAgainAndThePicturesAreKept() {
    begin();
    capture();
    enrolment.renameFirst();
    assertEquals(Step.NAME, enrolment.step());
    enrolment.name("Ada L.");
    assertEquals(Step.STORE, enrolment.step());
    assertEquals(Enrolment.PICTURES, enrolment.templates().size());
  }

  @Test
  public void templatesAreWipedWhenTheyAreStoredAndWhenNothingIs() {
    for (boolean stored : new boolean[] {true, false}) {
      Enrolment ended = new Enrolment(THRESHOLD);
      ended.agree();
      ended.name("Ada");
      for (int picture = 0; picture < Enrolment.PICTURES; picture++) {
        ended.look(sighting(face(0)));
      }
      float[] held = ended.templates().get(0);
      if (stored) {
        ended.stored();
      } else {
        ended.cancel();
      }
      assertArrayEquals(new float[2], held, 0);
      assertTrue(ended.templates().isEmpty());
    }
  }

  private void begin() {
    enrolment.agree();
    enrolment.name("Ada");
  }

  private void capture(Nearest... nearest) {
    for (int picture = 0; picture < Enrolment.PICTURES; picture++) {
      enrolment.look(sighting(face(0, picture < nearest.length ? nearest[picture] : null)));
    }
  }

  /** Each a pause after the one before. */
  private Sighting sighting(SeenFace... faces) {
    Frame frame = new Frame();
    frame.reuse(10, 10, true, now);
    now += Enrolment.PAUSE_MILLISECONDS;
    List<SeenFace> seen = new ArrayList<>(Arrays.asList(faces));
    return new Sighting(frame, seen, 1, 1, 1);
  }

  private static SeenFace face(double angle) {
    return face(angle, null);
  }

  /** An embedding of two numbers, at that angle to that of face(0); a picture that is sharp and whole. */
  private static SeenFace face(double angle, Nearest nearest) {
    return face(angle, 40, nearest);
  }

  private static SeenFace poor() {
    return face(0, 2, null);
  }

  private static SeenFace face(double angle, int contrast, Nearest nearest) {
    byte[] rgb = new byte[3 * 20 * 20];
    for (int at = 0; at < rgb.length; at++) {
      rgb[at] = (byte) ((at / 3 + at / 60) % 2 == 0 ? 128 + contrast : 128 - contrast);
    }
    Pixels picture = new Pixels(20, 20, rgb);
    Quality quality = Quality.ofCrop(picture, new double[] {2, 2, 18, 18}, picture);
    return new SeenFace(new double[] {2, 2, 18, 18}, quality, new float[] {(float) Math.cos(angle), (float) Math.sin(angle)}, nearest);
  }
}
