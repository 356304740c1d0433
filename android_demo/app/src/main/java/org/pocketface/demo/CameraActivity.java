package org.pocketface.demo;

import android.Manifest;
import android.app.Activity;
import android.content.Intent;
import android.content.pm.PackageManager;
import android.hardware.display.DisplayManager;
import android.net.Uri;
import android.os.Bundle;
import android.provider.Settings;
import android.view.Surface;
import android.view.View;
import android.widget.Button;
import android.widget.TextView;
import org.pocketface.sdk.PocketFaceException;

/**
 * A screen with a stage: the camera's picture and what is seen in it, or, where there is none, what is the matter and what to do about it.
 * Subclasses set a content view that includes the stage, then say when they want the camera.
 */
abstract class CameraActivity extends Activity implements CameraFrames.Listener, DemoApplication.Listener {
  static final int ASK_CAMERA = 1;

  /** What stands on the stage. */
  enum Stage {
    LOADING,
    DAMAGED_MODEL,
    DAMAGED_GALLERY,
    ASK,
    DENIED,
    DENIED_FOR_GOOD,
    NO_CAMERA,
    CAMERA_FAILED,
    LIVE
  }

  private static final String ASKED = "asked";

  /** A phone that is turned by 180 degrees at once gets no new screen: only its display says so. */
  private final DisplayManager.DisplayListener turned = new DisplayManager.DisplayListener() {
    @Override
    public void onDisplayAdded(int display) {
      // Another one.
    }

    @Override
    public void onDisplayRemoved(int display) {
      // Another one.
    }

    @Override
    public void onDisplayChanged(int display) {
      if (camera != null && displayDegrees() != cameraDegrees) {
        stopCamera();
        updateCamera();
      }
    }
  };

  private PreviewView preview;
  private Stage stage = Stage.LOADING;
  private Recognition recognition;
  private CameraFrames camera;
  private int cameraDegrees;
  private NewestFrame frames;
  private boolean resumed;
  private boolean asked;

  /** Whether the camera is wanted at present. */
  abstract boolean wantsCamera();

  /** The model is ready. Called once. */
  abstract void onReady(Recognition ready);

  /** What a frame showed. The stage is LIVE. */
  abstract void onSighting(Sighting sighting);

  /** The stage changed. */
  abstract void onStage(Stage now);

  @Override
  protected void onCreate(Bundle saved) {
    super.onCreate(saved);
    asked = saved != null && saved.getBoolean(ASKED);
  }

  @Override
  protected void onSaveInstanceState(Bundle out) {
    super.onSaveInstanceState(out);
    out.putBoolean(ASKED, asked);
  }

  /** To be called once the content view is set. */
  final void stageIsThere() {
    preview = findViewById(R.id.preview);
    show(Stage.LOADING, null);
    application().whenLoaded(this);
  }

  final DemoApplication application() {
    return (DemoApplication) getApplication();
  }

  final PreviewView preview() {
    return preview;
  }

  final Stage stage() {
    return stage;
  }

  /** Null before {@link #onReady}. */
  final Recognition recognition() {
    return recognition;
  }

  @Override
  public final void loaded(Loaded loaded) {
    if (isDestroyed()) {
      return;
    }
    if (loaded.error() != null) {
      show(loaded.galleryFailed() ? Stage.DAMAGED_GALLERY : Stage.DAMAGED_MODEL, loaded.error());
      return;
    }
    recognition = loaded.recognition();
    onReady(recognition);
    updateCamera();
  }

  @Override
  protected void onResume() {
    super.onResume();
    resumed = true;
    displays().registerDisplayListener(turned, null);
    updateCamera();
  }

  @Override
  protected void onPause() {
    resumed = false;
    displays().unregisterDisplayListener(turned);
    stopCamera();
    super.onPause();
  }

  private DisplayManager displays() {
    return (DisplayManager) getSystemService(DISPLAY_SERVICE);
  }

  /** Starts or stops the camera as things now are. To be called when {@link #wantsCamera} changes. */
  final void updateCamera() {
    boolean wanted = resumed && recognition != null && wantsCamera();
    if (!wanted) {
      stopCamera();
    } else if (!mayUseCamera()) {
      showDenied();
    } else if (camera == null) {
      startCamera();
    }
  }

  private boolean mayUseCamera() {
    return checkSelfPermission(Manifest.permission.CAMERA) == PackageManager.PERMISSION_GRANTED;
  }

  private void showDenied() {
    if (!asked) {
      show(Stage.ASK, null);
    } else {
      show(shouldShowRequestPermissionRationale(Manifest.permission.CAMERA) ? Stage.DENIED : Stage.DENIED_FOR_GOOD, null);
    }
  }

  @Override
  public void onRequestPermissionsResult(int request, String[] permissions, int[] results) {
    super.onRequestPermissionsResult(request, permissions, results);
    if (request == ASK_CAMERA && results.length > 0) { // none: the question was interrupted, and comes again
      asked = true;
      updateCamera();
    }
  }

  private void startCamera() {
    final Recognition used = recognition;
    final CameraFrames started = new CameraFrames(this, this);
    frames = new NewestFrame(application().background(), new NewestFrame.Looker() {
      @Override
      public void look(Frame frame) {
        lookAt(used, started, frame);
      }
    });
    camera = started;
    show(Stage.LIVE, null);
    cameraDegrees = displayDegrees();
    started.start(cameraDegrees);
  }

  private void stopCamera() {
    if (camera != null) {
      camera.stop();
      camera = null;
      frames.stop();
      frames = null;
      preview.clear();
    }
  }

  /** On the background thread. */
  private void lookAt(Recognition used, final CameraFrames from, Frame frame) {
    try {
      final Sighting sighting = used.look(frame);
      whileOn(from, new Runnable() {
        @Override
        public void run() {
          onSighting(sighting);
        }
      });
    } catch (final PocketFaceException error) {
      whileOn(from, new Runnable() {
        @Override
        public void run() {
          stopCamera();
          show(Stage.DAMAGED_MODEL, error);
        }
      });
    }
  }

  /** Does {@code what} on the main thread, where {@code from} is still the camera by then: what one says that was stopped counts no more. */
  private void whileOn(final CameraFrames from, final Runnable what) {
    application().onMain(new Runnable() {
      @Override
      public void run() {
        if (camera == from) {
          what.run();
        }
      }
    });
  }

  @SuppressWarnings("deprecation") // its successor is there from API 30 on
  private int displayDegrees() {
    switch (getWindowManager().getDefaultDisplay().getRotation()) {
      case Surface.ROTATION_90:
        return 90;
      case Surface.ROTATION_180:
        return 180;
      case Surface.ROTATION_270:
        return 270;
      default:
        return 0;
    }
  }

  // Frames, on the camera's thread

  @Override
  public final Frame toFill() {
    return frames.toWrite();
  }

  @Override
  public final void filled(Frame frame) {
    preview.show(frame);
    frames.publish(frame);
  }

  @Override
  public final void failed(CameraFrames failed, final String why) {
    whileOn(failed, new Runnable() {
      @Override
      public void run() {
        stopCamera();
        show(Stage.CAMERA_FAILED, null, why);
      }
    });
  }

  @Override
  public final void noCamera() {
    stopCamera();
    show(Stage.NO_CAMERA, null);
  }

  // The stage

  private void show(Stage next, PocketFaceException error) {
    show(next, error, error == null ? "" : error.getMessage());
  }

  private void show(Stage next, PocketFaceException error, String why) {
    stage = next;
    boolean live = next == Stage.LIVE;
    findViewById(R.id.notice).setVisibility(live ? View.GONE : View.VISIBLE);
    if (!live) {
      preview.clear();
      showNotice(next, why, error == null ? "" : error.code());
    }
    onStage(next);
  }

  private void showNotice(Stage now, String why, String code) {
    TextView title = findViewById(R.id.notice_title);
    TextView text = findViewById(R.id.notice_text);
    boolean bad = now == Stage.DAMAGED_MODEL || now == Stage.DAMAGED_GALLERY || now == Stage.CAMERA_FAILED;
    findViewById(R.id.notice_card).setBackgroundResource(bad ? R.drawable.card_error : R.drawable.card);
    title.setTextColor(getColor(bad ? R.color.on_error_container : R.color.text));
    text.setTextColor(getColor(bad ? R.color.on_error_container : R.color.text));
    Notice notice = Notice.of(now);
    title.setText(notice.title);
    text.setVisibility(notice.text == 0 ? View.GONE : View.VISIBLE);
    if (notice.text != 0) {
      text.setText(getString(notice.text, why, code));
    }
    offer(R.id.notice_action, notice.action, new View.OnClickListener() {
      @Override
      public void onClick(View view) {
        act();
      }
    });
    offer(R.id.notice_danger, notice.danger, new View.OnClickListener() {
      @Override
      public void onClick(View view) {
        askToDeleteAll();
      }
    });
  }

  /** Shows a button that says {@code text}, or none where that is 0. */
  private void offer(int button, int text, View.OnClickListener pressed) {
    Button shown = findViewById(button);
    shown.setVisibility(text == 0 ? View.GONE : View.VISIBLE);
    if (text != 0) {
      shown.setText(text);
      shown.setOnClickListener(pressed);
    }
  }

  /** What the notice's first button does. */
  private void act() {
    switch (stage) {
      case ASK:
      case DENIED:
        requestPermissions(new String[] {Manifest.permission.CAMERA}, ASK_CAMERA);
        break;
      case DENIED_FOR_GOOD:
        startActivity(new Intent(Settings.ACTION_APPLICATION_DETAILS_SETTINGS, Uri.fromParts("package", getPackageName(), null)));
        break;
      case DAMAGED_GALLERY:
        show(Stage.LOADING, null);
        application().whenLoaded(this);
        break;
      case CAMERA_FAILED:
        updateCamera();
        break;
      default:
        throw new IllegalStateException("stage: expected one with something to do, is " + stage);
    }
  }

  private void askToDeleteAll() {
    Dialogs.confirm(this, R.string.delete_all_title, getString(R.string.delete_all_text), R.string.delete_all, new Runnable() {
      @Override
      public void run() {
        show(Stage.LOADING, null);
        application().deleteGallery(CameraActivity.this);
      }
    });
  }
}
