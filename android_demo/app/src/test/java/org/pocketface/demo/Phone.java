package org.pocketface.demo;

import static org.robolectric.Shadows.shadowOf;

import android.Manifest;
import android.app.Activity;
import android.app.Dialog;
import android.content.Context;
import android.content.Intent;
import android.graphics.Bitmap;
import android.graphics.Canvas;
import android.hardware.camera2.CameraCharacteristics;
import android.hardware.camera2.CameraManager;
import android.os.Looper;
import android.view.View;
import android.widget.TextView;
import java.io.File;
import java.io.FileOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import org.junit.Assume;
import org.junit.rules.ExternalResource;
import org.pocketface.sdk.Pixels;
import org.pocketface.sdk.Png;
import org.robolectric.Robolectric;
import org.robolectric.RuntimeEnvironment;
import org.robolectric.android.controller.ActivityController;
import org.robolectric.shadows.ShadowCameraCharacteristics;

/** A phone with a key store, whose screens are started, shown frames, and rendered to PNG. */
final class Phone extends ExternalResource {
  private final Look look;
  private long clock = 1000;

  Phone(Look look) {
    this.look = look;
  }

  @Override
  protected void before() {
    Assume.assumeFalse(
        "left out: -Dpocketface.screens names no folder of tests/android/screens.py", System.getProperty("pocketface.screens", "").isEmpty());
    look.set();
    StrictKeyStore.install();
    TestApplication.bundle = "assets/model.pface";
    TestApplication.refusals = 0;
  }

  @Override
  protected void after() {
    StrictKeyStore.remove();
  }

  static DemoApplication application() {
    return (DemoApplication) RuntimeEnvironment.getApplication();
  }

  /** The user allowed the camera, and there is one. */
  void allowCamera() {
    shadowOf(RuntimeEnvironment.getApplication()).grantPermissions(Manifest.permission.CAMERA);
    addCamera();
  }

  /** There is a camera that looks at the user. */
  void addCamera() {
    CameraManager manager = (CameraManager) RuntimeEnvironment.getApplication().getSystemService(Context.CAMERA_SERVICE);
    CameraCharacteristics front = ShadowCameraCharacteristics.newCameraCharacteristics();
    shadowOf(front).set(CameraCharacteristics.LENS_FACING, CameraCharacteristics.LENS_FACING_FRONT);
    shadowOf(front).set(CameraCharacteristics.SENSOR_ORIENTATION, 270);
    shadowOf(manager).addCamera("1", front);
  }

  <T extends Activity> T open(Class<T> screen) {
    return open(screen, new Intent());
  }

  <T extends Activity> T open(Class<T> screen, Intent intent) {
    ActivityController<T> controller = Robolectric.buildActivity(screen, intent).setup();
    settle();
    return controller.get();
  }

  /** Waits until the background has done what it was given, and the main thread what came of it. */
  static void settle() {
    for (int round = 0; round < 4; round++) {
      try {
        application().background().submit(() -> {}).get();
      } catch (Exception error) {
        throw new AssertionError(error);
      }
      shadowOf(Looper.getMainLooper()).idle();
    }
  }

  /** The camera gives a picture of tests/android/screens.py, a second after the one before. */
  void see(CameraActivity screen, String picture) throws IOException {
    give(screen, picture);
    settle();
  }

  /** The same, and nothing is waited for. */
  void give(CameraActivity screen, String picture) throws IOException {
    clock += 1000;
    Pixels pixels = picture(picture);
    Frame frame = screen.toFill();
    byte[] room = frame.reuse(pixels.height(), pixels.width(), true, clock).rgb();
    System.arraycopy(pixels.rgb(), 0, room, 0, room.length);
    screen.filled(frame);
  }

  static Pixels picture(String name) throws IOException {
    File file = new File(System.getProperty("pocketface.screens"), name + ".png");
    return Png.read(ByteBuffer.wrap(Files.readAllBytes(file.toPath())), name);
  }

  /** What a view says; empty where it is not shown. */
  static String text(Activity screen, int view) {
    View shown = screen.findViewById(view);
    return shown.isShown() ? ((TextView) shown).getText().toString() : "";
  }

  static void press(Activity screen, int view) {
    View button = screen.findViewById(view);
    if (!button.isShown() || !button.isEnabled()) {
      throw new AssertionError("expected a button that can be pressed: " + screen.getResources().getResourceEntryName(view));
    }
    button.performClick();
    settle();
  }

  /** Renders a screen to target/shots/NAME-LOOK.png. */
  void shot(Activity screen, String name) throws IOException {
    write(draw(screen.getWindow().getDecorView()), name);
  }

  /** Renders a dialogue. */
  void shot(Dialog dialog, String name) throws IOException {
    write(draw(dialog.getWindow().getDecorView()), name);
  }

  static Bitmap draw(View view) {
    shadowOf(Looper.getMainLooper()).idle();
    Bitmap bitmap = Bitmap.createBitmap(view.getWidth(), view.getHeight(), Bitmap.Config.ARGB_8888);
    view.draw(new Canvas(bitmap));
    return bitmap;
  }

  private void write(Bitmap bitmap, String name) throws IOException {
    File folder = new File(System.getProperty("pocketface.shots"));
    Files.createDirectories(folder.toPath());
    try (FileOutputStream out = new FileOutputStream(new File(folder, name + "-" + look.name().toLowerCase(java.util.Locale.ROOT) + ".png"))) {
      bitmap.compress(Bitmap.CompressFormat.PNG, 100, out);
    }
  }
}
