package org.pocketface.demo;

import static org.junit.Assert.assertArrayEquals;
import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertNotNull;
import static org.junit.Assert.assertThrows;
import static org.junit.Assert.assertTrue;
import static org.robolectric.Shadows.shadowOf;

import android.Manifest;
import android.app.Activity;
import android.app.AlertDialog;
import android.content.Intent;
import android.content.pm.PackageManager;
import android.view.Display;
import android.view.Surface;
import android.view.ViewGroup;
import android.widget.EditText;
import android.widget.ListView;
import android.widget.Spinner;
import android.widget.TextView;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.concurrent.CountDownLatch;
import org.junit.Rule;
import org.junit.Test;
import org.junit.runner.RunWith;
import org.pocketface.sdk.Pixels;
import org.pocketface.sdk.gallery.Gallery;
import org.pocketface.sdk.gallery.Person;
import org.pocketface.sdk.gallery.TemplateModel;
import org.robolectric.ParameterizedRobolectricTestRunner;
import org.robolectric.Robolectric;
import org.robolectric.android.controller.ActivityController;
import org.robolectric.annotation.Config;
import org.robolectric.annotation.GraphicsMode;
import org.robolectric.shadows.ShadowActivity;
import org.robolectric.shadows.ShadowAlertDialog;

/** Each screen in each state, with the real model, on a light, a dark and a sideways phone and with letters twice as large. */
@RunWith(ParameterizedRobolectricTestRunner.class)
@Config(sdk = 35, application = TestApplication.class)
@GraphicsMode(GraphicsMode.Mode.NATIVE)
public final class ScreensTest {
  @Rule public final Phone phone;

  /** One run of every test for each. */
  @ParameterizedRobolectricTestRunner.Parameters(name = "{0}")
  public static List<Object[]> looks() {
    return Arrays.asList(new Object[][] {{Look.LIGHT}, {Look.DARK}, {Look.LARGE}, {Look.LANDSCAPE}});
  }

  public ScreensTest(Look look) {
    phone = new Phone(look);
  }

  @Test
  public void theCameraIsAskedForWithAReasonAndMayBeDenied() throws Exception {
    phone.addCamera();
    MainActivity screen = phone.open(MainActivity.class);
    assertEquals(screen.getString(R.string.ask_title), Phone.text(screen, R.id.notice_title));
    phone.shot(screen, "main-ask");
    Phone.press(screen, R.id.notice_action);
    ShadowActivity.PermissionsRequest request = shadowOf(screen).getLastRequestedPermission();
    assertArrayEquals(new String[] {Manifest.permission.CAMERA}, request.requestedPermissions);
    screen.onRequestPermissionsResult(request.requestCode, request.requestedPermissions, new int[] {PackageManager.PERMISSION_DENIED});
    assertEquals(screen.getString(R.string.denied_title), Phone.text(screen, R.id.notice_title));
    assertEquals(screen.getString(R.string.settings_action), Phone.text(screen, R.id.notice_action));
    phone.shot(screen, "main-denied");
  }

  @Test
  @SuppressWarnings("deprecation") // as the screen asks
  public void theCameraIsStartedAnewWhereThePhoneIsTurnedUpsideDown() throws Exception {
    phone.allowCamera();
    MainActivity screen = phone.open(MainActivity.class);
    for (int frame = 0; frame < NewestFrame.FRAMES; frame++) {
      screen.toFill(); // all that this start of the camera has
    }
    Display display = screen.getWindowManager().getDefaultDisplay();
    shadowOf(display).setRotation(display.getRotation()); // a change of something else
    Phone.settle();
    assertThrows(NoSuchElementException.class, screen::toFill);
    shadowOf(display).setRotation(Surface.ROTATION_180);
    Phone.settle();
    assertEquals(CameraActivity.Stage.LIVE, screen.stage());
    assertNotNull(screen.toFill());
  }

  @Test
  @SuppressWarnings("deprecation") // as the screen asks
  public void whatAStoppedCameraSaysCountsNoMore() throws Exception {
    phone.allowCamera();
    MainActivity screen = phone.open(MainActivity.class);
    screen.failed(new CameraFrames(screen, screen), "it was taken off");
    Phone.settle();
    assertEquals(CameraActivity.Stage.LIVE, screen.stage());
    CountDownLatch turned = holdBackground();
    phone.give(screen, "two");
    shadowOf(screen.getWindowManager().getDefaultDisplay()).setRotation(Surface.ROTATION_180); // starts the camera anew
    turned.countDown();
    Phone.settle();
    assertEquals(screen.getString(R.string.looking), Phone.text(screen, R.id.status));
  }

  @Test
  public void withoutACameraTheScreenSaysSo() throws Exception {
    shadowOf(Phone.application()).grantPermissions(Manifest.permission.CAMERA);
    MainActivity screen = phone.open(MainActivity.class);
    assertEquals(screen.getString(R.string.no_camera_title), Phone.text(screen, R.id.notice_title));
    phone.shot(screen, "main-no-camera");
  }

  @Test
  public void aDamagedBundleIsNotUsed() throws Exception {
    TestApplication.bundle = "damaged.pface";
    phone.allowCamera();
    MainActivity screen = phone.open(MainActivity.class);
    assertEquals(screen.getString(R.string.damaged_title), Phone.text(screen, R.id.notice_title));
    assertTrue(Phone.text(screen, R.id.notice_text).contains("bundle.hash"));
    assertFalse(screen.findViewById(R.id.enrol).isEnabled());
    phone.shot(screen, "main-damaged");
  }

  @Test
  public void aKeyThatIsRefusedForAWhileCostsNobody() throws Exception {
    phone.allowCamera();
    try (Gallery gallery = Gallery.open(Phone.application().galleryFile(), Phone.application().galleryKey())) {
      TemplateModel model = new TemplateModel(String.join("", Collections.nCopies(64, "0")), "old", 2);
      gallery.enrol("Ada Lovelace", model, Collections.singletonList(new float[] {0.6f, 0.8f}));
    }
    TestApplication.refusals = 2;
    MainActivity screen = phone.open(MainActivity.class);
    assertEquals(screen.getString(R.string.gallery_title), Phone.text(screen, R.id.notice_title));
    assertTrue(Phone.text(screen, R.id.notice_text), Phone.text(screen, R.id.notice_text).contains("gallery.key"));
    assertEquals(screen.getString(R.string.delete_all), Phone.text(screen, R.id.notice_danger));
    phone.shot(screen, "main-gallery");
    Phone.press(screen, R.id.notice_action);
    assertEquals("refused again", screen.getString(R.string.gallery_title), Phone.text(screen, R.id.notice_title));
    Phone.press(screen, R.id.notice_action);
    assertEquals(screen.getString(R.string.looking), Phone.text(screen, R.id.status));
    assertEquals(Collections.singletonList("Ada Lovelace"), names());
  }

  @Test
  public void nobodySomebodyAndSeveralPeopleAreSeen() throws Exception {
    phone.allowCamera();
    enrol("Ada Lovelace", "person-0-0", "person-0-1");
    MainActivity screen = phone.open(MainActivity.class);
    phone.see(screen, "nobody");
    assertEquals(screen.getString(R.string.looking), Phone.text(screen, R.id.status));
    phone.shot(screen, "main-nobody");
    phone.see(screen, "person-0-2");
    assertEquals("Ada Lovelace", Phone.text(screen, R.id.status));
    phone.shot(screen, "main-known");
    phone.see(screen, "person-1-0");
    assertEquals(screen.getString(R.string.unknown), Phone.text(screen, R.id.status));
    phone.shot(screen, "main-unknown");
    phone.see(screen, "two");
    assertEquals("2 faces", Phone.text(screen, R.id.status));
    phone.shot(screen, "main-several");
    phone.see(screen, "dark");
    assertTrue(Phone.text(screen, R.id.detail), Phone.text(screen, R.id.detail).contains(screen.getString(R.string.flaw_dark)));
    phone.shot(screen, "main-dark");
  }

  @Test
  public void theUserPicksAFalseMatchRateOfTheManifest() throws Exception {
    phone.allowCamera();
    enrol("Ada Lovelace", "person-0-0");
    MainActivity screen = phone.open(MainActivity.class);
    Spinner rates = screen.findViewById(R.id.fmr);
    assertEquals(3, rates.getCount());
    assertEquals("1 of 1,000 (similarity 0.90)", rates.getSelectedItem());
    rates.setSelection(2);
    Phone.settle();
    assertEquals(1e-4, Phone.application().fmr(), 1e-9);
    assertEquals("Compared with 1 template: at most about 1 of 10,000 strangers is named by mistake.", Phone.text(screen, R.id.fmr_note));
    phone.see(screen, "person-0-2");
    phone.shot(screen, "main-strict");
  }

  @Test
  public void aBundleWithoutThresholdsNamesNobodyAndSaysWhy() throws Exception {
    TestApplication.bundle = "unstated.pface";
    phone.allowCamera();
    enrol("Ada Lovelace", "person-0-0");
    MainActivity screen = phone.open(MainActivity.class);
    phone.see(screen, "person-0-2");
    assertEquals(screen.getString(R.string.unnamed), Phone.text(screen, R.id.status));
    assertEquals(screen.getString(R.string.fmr_none), Phone.text(screen, R.id.fmr_note));
    assertFalse(screen.findViewById(R.id.fmr).isShown());
    phone.shot(screen, "main-no-threshold");
  }

  @Test
  public void aLevelsTemplatesAreTheWholeNetsAndItsThresholdsHoldAcrossLevels() throws Exception {
    TestApplication.bundle = "level.pface";
    phone.allowCamera();
    enrol("Ada Lovelace", "person-0-0");
    assertEquals("fp32", people().get(0).templates().get(0).model().variant());
    MainActivity screen = phone.open(MainActivity.class);
    assertEquals("1 of 1,000 (similarity 0.91)", ((Spinner) screen.findViewById(R.id.fmr)).getSelectedItem()); // its own is 0.90
    assertEquals("Compared with 1 template: at most about 1 of 1,000 strangers is named by mistake.", Phone.text(screen, R.id.fmr_note));
    phone.see(screen, "person-0-2");
    assertEquals("Ada Lovelace", Phone.text(screen, R.id.status));
  }

  @Test
  public void aPersonIsEnrolledAfterConsent() throws Exception {
    phone.allowCamera();
    EnrolActivity screen = phone.open(EnrolActivity.class);
    phone.shot(screen, "enrol-consent");
    Phone.press(screen, R.id.agree);
    Phone.press(screen, R.id.named);
    assertEquals(screen.getString(R.string.name_missing), ((EditText) screen.findViewById(R.id.name)).getError().toString());
    ((EditText) screen.findViewById(R.id.name)).setText("Ada Lovelace");
    phone.shot(screen, "enrol-name");
    Phone.press(screen, R.id.named);
    phone.shot(screen, "enrol-start");
    phone.see(screen, "nobody");
    assertEquals(screen.getString(R.string.hint_no_face), Phone.text(screen, R.id.hint));
    phone.see(screen, "two");
    assertEquals(screen.getString(R.string.hint_several), Phone.text(screen, R.id.hint));
    phone.shot(screen, "enrol-several");
    phone.see(screen, "blurred");
    assertTrue(Phone.text(screen, R.id.hint), Phone.text(screen, R.id.hint).contains(screen.getString(R.string.flaw_blurred)));
    phone.shot(screen, "enrol-poor");
    phone.see(screen, "person-0-0");
    phone.see(screen, "person-0-1");
    assertEquals(screen.getString(R.string.hint_taken), Phone.text(screen, R.id.hint));
    assertEquals("2 of 5 pictures", Phone.text(screen, R.id.progress_text));
    phone.shot(screen, "enrol-taken");
    phone.see(screen, "person-1-0");
    assertEquals(screen.getString(R.string.hint_other_face), Phone.text(screen, R.id.hint));
    for (int view = 2; view < Enrolment.PICTURES; view++) {
      phone.see(screen, "person-0-" + view);
    }
    Phone.settle();
    assertEquals("Ada Lovelace is enrolled", Phone.text(screen, R.id.done_heading));
    phone.shot(screen, "enrol-done");
    assertEquals(Enrolment.PICTURES, people().get(0).templates().size());
  }

  @Test
  public void aFaceThatIsEnrolledIsNotEnrolledTwiceUnasked() throws Exception {
    phone.allowCamera();
    enrol("Ada Lovelace", "person-0-5");
    EnrolActivity screen = phone.open(EnrolActivity.class);
    Phone.press(screen, R.id.agree);
    ((EditText) screen.findViewById(R.id.name)).setText("Augusta King");
    Phone.press(screen, R.id.named);
    for (int view = 0; view < Enrolment.PICTURES; view++) {
      phone.see(screen, "person-0-" + view);
    }
    assertTrue(Phone.text(screen, R.id.duplicate_text).contains("Ada Lovelace"));
    assertEquals(1, people().size());
    phone.shot(screen, "enrol-duplicate");
    Phone.press(screen, R.id.same_person);
    assertEquals(1, people().size());
    assertEquals("Ada Lovelace", people().get(0).name());
    assertEquals(1 + Enrolment.PICTURES, people().get(0).templates().size());
  }

  @Test
  public void peopleAreRenamedAndDeleted() throws Exception {
    PeopleActivity empty = phone.open(PeopleActivity.class);
    assertEquals(empty.getString(R.string.people_empty), Phone.text(empty, R.id.empty));
    phone.shot(empty, "people-empty");
    enrol("Ada Lovelace", "person-0-0", "person-0-1");
    enrol("Bob", "person-1-0");
    PeopleActivity screen = phone.open(PeopleActivity.class);
    phone.shot(screen, "people");
    ListView list = screen.findViewById(R.id.list);
    assertEquals("Delete Bob", list.getChildAt(1).findViewById(R.id.delete).getContentDescription().toString());
    list.getChildAt(1).findViewById(R.id.delete).performClick();
    AlertDialog question = ShadowAlertDialog.getLatestAlertDialog();
    phone.shot(question, "people-delete");
    question.getButton(AlertDialog.BUTTON_POSITIVE).performClick();
    Phone.settle();
    assertEquals(Collections.singletonList("Ada Lovelace"), names());
    list.getChildAt(0).findViewById(R.id.rename).performClick();
    AlertDialog renaming = ShadowAlertDialog.getLatestAlertDialog();
    renaming.<EditText>findViewById(R.id.name).setText("Augusta King");
    phone.shot(renaming, "people-rename");
    renaming.getButton(AlertDialog.BUTTON_POSITIVE).performClick();
    Phone.settle();
    assertEquals(Collections.singletonList("Augusta King"), names());
  }

  @Test
  public void whereTheGalleryCannotBeReadAnyMoreNobodyIsRecognised() throws Exception {
    phone.allowCamera();
    enrol("Ada Lovelace", "person-0-0");
    Files.write(Phone.application().galleryFile().toPath(), new byte[200]);
    PeopleActivity people = phone.open(PeopleActivity.class);
    String said = shadowOf(ShadowAlertDialog.getLatestAlertDialog()).getMessage().toString();
    assertTrue(said, said.startsWith("gallery: expected PFGA"));
    assertEquals("that nobody is enrolled is not known", "", Phone.text(people, R.id.empty));
    MainActivity screen = phone.open(MainActivity.class);
    phone.see(screen, "person-0-2");
    assertEquals(screen.getString(R.string.unknown), Phone.text(screen, R.id.status));
    Phone.press(people, R.id.delete_all);
    ShadowAlertDialog.getLatestAlertDialog().getButton(AlertDialog.BUTTON_POSITIVE).performClick();
    Phone.settle();
    assertEquals(people.getString(R.string.people_empty), Phone.text(people, R.id.empty));
  }

  @Test
  public void templatesThatCannotBeStoredAreSaid() throws Exception {
    phone.allowCamera();
    EnrolActivity screen = phone.open(EnrolActivity.class);
    Phone.press(screen, R.id.agree);
    ((EditText) screen.findViewById(R.id.name)).setText("Ada Lovelace");
    Phone.press(screen, R.id.named);
    TestApplication.refusals = 1;
    for (int view = 0; view < Enrolment.PICTURES; view++) {
      phone.see(screen, "person-0-" + view);
    }
    Phone.settle();
    assertEquals(screen.getString(R.string.store_failed_title), Phone.text(screen, R.id.done_heading));
    assertTrue(Phone.text(screen, R.id.done_text), Phone.text(screen, R.id.done_text).startsWith("gallery: expected a key"));
    phone.shot(screen, "enrol-failed");
    assertTrue(people().isEmpty());
  }

  @Test
  public void deletingAllTakesTheKeyWithIt() throws Exception {
    enrol("Ada Lovelace", "person-0-0");
    assertEquals(1, StrictKeyStore.KEYS.size());
    PeopleActivity screen = phone.open(PeopleActivity.class);
    Phone.press(screen, R.id.delete_all);
    phone.shot(ShadowAlertDialog.getLatestAlertDialog(), "people-delete-all");
    ShadowAlertDialog.getLatestAlertDialog().getButton(AlertDialog.BUTTON_POSITIVE).performClick();
    Phone.settle();
    assertTrue(people().isEmpty());
    assertTrue(StrictKeyStore.KEYS.isEmpty());
  }

  @Test
  public void theSelfTestPassesAndItsReportCanBeShared() throws Exception {
    SelfTestActivity screen = phone.open(SelfTestActivity.class);
    phone.shot(screen, "selftest-idle");
    Phone.press(screen, R.id.run);
    String report = new String(
        Files.readAllBytes(screen.getExternalFilesDir(null).toPath().resolve(SelfTestActivity.FILE)),
        StandardCharsets.UTF_8);
    SelfTestResult result = new SelfTestResult(report);
    assertEquals(report, "pass", result.get("result"));
    assertTrue(Phone.text(screen, R.id.result).startsWith("Passed"));
    phone.shot(screen, "selftest-passed");
    Phone.press(screen, R.id.share);
    Intent chooser = shadowOf((Activity) screen).getNextStartedActivity();
    Intent send = chooser.getParcelableExtra(Intent.EXTRA_INTENT, Intent.class);
    assertEquals(report, send.getStringExtra(Intent.EXTRA_TEXT));
  }

  @Test
  public void theSelfTestGoesOnWhereThePhoneIsTurned() throws Exception {
    Intent run = new Intent().putExtra(SelfTestActivity.RUN, true);
    TestApplication.bundle = "damaged.pface"; // ends soon
    CountDownLatch turned = holdBackground();
    ActivityController<SelfTestActivity> controller = Robolectric.buildActivity(SelfTestActivity.class, run).setup();
    assertFalse(controller.get().findViewById(R.id.run).isEnabled());
    controller.recreate();
    assertFalse("it still runs", controller.get().findViewById(R.id.run).isEnabled());
    turned.countDown();
    Phone.settle();
    SelfTestActivity screen = controller.get();
    assertTrue(Phone.text(screen, R.id.result), Phone.text(screen, R.id.result).startsWith("Failed"));
    assertTrue(screen.findViewById(R.id.run).isEnabled());
    String report = Phone.application().selfTest().result().text();
    controller.recreate();
    assertTrue(Phone.text(controller.get(), R.id.result).startsWith("Failed"));
    assertEquals("it was not begun again", report, Phone.application().selfTest().result().text());
  }

  @Test
  public void theSelfTestOfADamagedBundleFailsAndSaysWhy() throws Exception {
    TestApplication.bundle = "damaged.pface";
    SelfTestActivity screen = phone.open(SelfTestActivity.class, new Intent().putExtra(SelfTestActivity.RUN, true));
    assertTrue(Phone.text(screen, R.id.result).startsWith("Failed"));
    phone.shot(screen, "selftest-failed");
  }

  @Test
  public void aboutShowsWhatTheBundleSays() throws Exception {
    AboutActivity screen = phone.open(AboutActivity.class);
    TextView last = lastText(screen);
    assertTrue(last.getText().toString().contains(Phone.application().openBundle().sha256()));
    phone.shot(screen, "about");
  }

  private static TextView lastText(Activity screen) {
    ViewGroup content = screen.findViewById(R.id.content);
    return content.getChildAt(content.getChildCount() - 1).findViewById(R.id.entry_text);
  }

  /** Enrols somebody from pictures, past the screen. */
  private void enrol(String name, String... pictures) throws Exception {
    Recognition[] ready = new Recognition[1];
    Phone.application().whenLoaded(loaded -> ready[0] = loaded.recognition());
    Phone.settle();
    List<float[]> templates = new ArrayList<>();
    for (String picture : pictures) {
      Frame frame = new Frame();
      Pixels pixels = Phone.picture(picture);
      System.arraycopy(pixels.rgb(), 0, frame.reuse(pixels.height(), pixels.width(), true, 0).rgb(), 0, pixels.rgb().length);
      templates.add(ready[0].look(frame).faces().get(0).embedding());
    }
    ready[0].gallery().enrol(name, ready[0].model(), templates);
    ready[0].galleryChanged();
  }

  /** What is given to the background from now on waits until the latch is at 0. */
  private static CountDownLatch holdBackground() {
    CountDownLatch held = new CountDownLatch(1);
    Phone.application().background().execute(() -> {
      try {
        held.await();
      } catch (InterruptedException error) {
        throw new AssertionError(error);
      }
    });
    return held;
  }

  private static List<Person> people() {
    Recognition[] ready = new Recognition[1];
    Phone.application().whenLoaded(loaded -> ready[0] = loaded.recognition());
    return ready[0].gallery().people();
  }

  private static List<String> names() {
    List<String> names = new ArrayList<>();
    for (Person person : people()) {
      names.add(person.name());
    }
    return names;
  }
}
