package org.pocketface.demo;

import android.os.Bundle;
import android.view.View;
import android.view.WindowManager;
import android.widget.Button;
import android.widget.EditText;
import android.widget.ProgressBar;
import android.widget.TextView;
import java.util.ArrayList;
import java.util.List;
import org.pocketface.sdk.PocketFaceException;
import org.pocketface.sdk.gallery.Gallery;
import org.pocketface.sdk.gallery.GalleryException;
import org.pocketface.sdk.manifest.Threshold;

/** Enrols somebody: shows where {@link Enrolment} stands, and stores what it comes to. */
public final class EnrolActivity extends CameraActivity {
  /** Extras of who is to be enrolled again; without them somebody new is. */
  static final String PERSON_ID = "person-id";
  static final String PERSON_NAME = "person-name";

  private Enrolment enrolment;
  private double threshold = Double.NaN;
  private boolean storing;

  @Override
  protected void onCreate(Bundle saved) {
    super.onCreate(saved);
    // Neither screenshots nor the list of recent apps are to show somebody who is being enrolled.
    getWindow().addFlags(WindowManager.LayoutParams.FLAG_SECURE);
    setContentView(R.layout.enrol);
    Edges.clear(findViewById(R.id.root));
    Header.fill(this);
    ((ProgressBar) findViewById(R.id.progress)).setMax(Enrolment.PICTURES);
    listen();
    stageIsThere();
    if (enrolment == null) {
      showStep();
    }
  }

  @Override
  void onReady(Recognition ready) {
    FmrChoices choices = new FmrChoices(ready.thresholds());
    int chosen = choices.nearest(application().fmr());
    List<Threshold> thresholds = choices.thresholds();
    threshold = chosen < 0 ? Double.NaN : thresholds.get(chosen).similarity;
    String id = getIntent().getStringExtra(PERSON_ID);
    String name = getIntent().getStringExtra(PERSON_NAME);
    enrolment = id == null ? new Enrolment(threshold) : Enrolment.again(threshold, id, name);
    showStep();
  }

  @Override
  boolean wantsCamera() {
    return enrolment != null && enrolment.step() == Enrolment.Step.CAPTURE;
  }

  @Override
  void onStage(Stage now) {
    findViewById(R.id.hint).setVisibility(now == Stage.LIVE ? View.VISIBLE : View.GONE);
    findViewById(R.id.progress_text).setVisibility(now == Stage.LIVE ? View.VISIBLE : View.GONE);
    findViewById(R.id.progress).setVisibility(now == Stage.LIVE ? View.VISIBLE : View.GONE);
    if (now == Stage.DAMAGED_MODEL || now == Stage.DAMAGED_GALLERY) {
      show(R.id.consent, false);
      show(R.id.capture, true); // whose stage says what is the matter
    }
  }

  @Override
  void onSighting(Sighting sighting) {
    enrolment.look(sighting);
    preview().setLabels(new SightingText(this, threshold).qualityLabels(sighting));
    if (enrolment.step() == Enrolment.Step.CAPTURE) {
      showCapture();
    } else {
      showStep();
    }
  }

  @Override
  protected void onDestroy() {
    if (enrolment != null && !storing) {
      enrolment.cancel();
    }
    super.onDestroy();
  }

  private void listen() {
    on(R.id.agree, new Runnable() {
      @Override
      public void run() {
        enrolment.agree();
        showStep();
      }
    });
    on(R.id.named, new Runnable() {
      @Override
      public void run() {
        takeName();
      }
    });
    on(R.id.same_person, new Runnable() {
      @Override
      public void run() {
        enrolment.samePerson();
        showStep();
      }
    });
    on(R.id.other_person, new Runnable() {
      @Override
      public void run() {
        enrolment.otherPerson();
        showStep();
      }
    });
    Runnable leave = new Runnable() {
      @Override
      public void run() {
        finish();
      }
    };
    on(R.id.decline, leave);
    on(R.id.cancel, leave);
    on(R.id.discard, leave);
    on(R.id.close, leave);
  }

  private void on(int button, final Runnable what) {
    findViewById(button).setOnClickListener(new View.OnClickListener() {
      @Override
      public void onClick(View view) {
        what.run();
      }
    });
  }

  private void takeName() {
    EditText name = findViewById(R.id.name);
    String given = name.getText().toString().trim();
    if (given.isEmpty()) {
      name.setError(getString(R.string.name_missing));
      return;
    }
    enrolment.name(given);
    showStep();
  }

  /** Shows the section of the step that it stands at, and stores where that is next. */
  private void showStep() {
    Enrolment.Step step = enrolment == null ? null : enrolment.step();
    findViewById(R.id.agree).setEnabled(step != null);
    show(R.id.consent, step == null || step == Enrolment.Step.CONSENT);
    show(R.id.naming, step == Enrolment.Step.NAME);
    show(R.id.capture, step == Enrolment.Step.CAPTURE || step == Enrolment.Step.STORE);
    show(R.id.duplicate, step == Enrolment.Step.DUPLICATE);
    show(R.id.done, step == Enrolment.Step.DONE);
    updateCamera();
    if (step == Enrolment.Step.CAPTURE) {
      showCapture();
    } else if (step == Enrolment.Step.DUPLICATE) {
      showDuplicate();
    } else if (step == Enrolment.Step.STORE && !storing) {
      store();
    }
  }

  private void show(int section, boolean visible) {
    findViewById(section).setVisibility(visible ? View.VISIBLE : View.GONE);
  }

  private void showCapture() {
    setText(R.id.hint, hint());
    int taken = enrolment.templates().size();
    setText(R.id.progress_text, getString(R.string.capture_progress, taken, Enrolment.PICTURES));
    ((ProgressBar) findViewById(R.id.progress)).setProgress(taken);
  }

  private String hint() {
    switch (enrolment.hint()) {
      case START:
        return getString(R.string.hint_start);
      case NO_FACE:
        return getString(R.string.hint_no_face);
      case SEVERAL_FACES:
        return getString(R.string.hint_several);
      case POOR:
        return getString(R.string.hint_poor, getString(FlawText.of(enrolment.flaw())));
      case OTHER_FACE:
        return getString(R.string.hint_other_face);
      case TAKEN:
        return getString(R.string.hint_taken);
      default:
        return getString(R.string.hint_wait);
    }
  }

  private void showDuplicate() {
    Nearest duplicate = enrolment.duplicate();
    setText(R.id.duplicate_text, getString(R.string.duplicate_text, duplicate.name(), duplicate.similarity(), threshold));
    ((Button) findViewById(R.id.same_person)).setText(getString(R.string.duplicate_same, duplicate.name()));
    ((Button) findViewById(R.id.other_person)).setText(getString(R.string.duplicate_other, enrolment.name()));
  }

  private void store() {
    storing = true;
    final Recognition used = recognition();
    final List<float[]> templates = new ArrayList<float[]>(enrolment.templates());
    final int count = templates.size();
    application().background().execute(new Runnable() {
      @Override
      public void run() {
        PocketFaceException unwritten = null;
        PocketFaceException unread = null;
        try {
          write(used, templates);
        } catch (PocketFaceException wrong) {
          unwritten = wrong;
        }
        try {
          used.galleryChanged(); // a writing that failed may have changed it too
        } catch (PocketFaceException wrong) {
          unread = wrong;
        }
        finishStoring(unwritten, unread, count);
      }
    });
  }

  /** On the background thread. */
  private void write(Recognition used, List<float[]> templates) {
    Gallery gallery = used.gallery();
    if (enrolment.personId() == null) {
      gallery.enrol(enrolment.name(), used.model(), templates);
    } else if (enrolment.replaces()) {
      gallery.reEnrol(enrolment.personId(), used.model(), templates);
    } else {
      gallery.add(enrolment.personId(), used.model(), templates);
    }
  }

  /** On the background thread. {@code unwritten} and {@code unread}: why the gallery cannot be written or, after that, read; null where it can. */
  private void finishStoring(final PocketFaceException unwritten, final PocketFaceException unread, final int count) {
    application().onMain(new Runnable() {
      @Override
      public void run() {
        storing = false;
        boolean refused = unwritten instanceof GalleryException.Duplicate || unwritten instanceof GalleryException.Name;
        if (refused && !isDestroyed()) {
          askForAnotherName(unwritten);
        } else if (unwritten != null) {
          showEnd(getString(R.string.store_failed_title), getString(R.string.store_failed, unwritten.getMessage()));
          enrolment.cancel();
        } else if (unread != null) {
          showEnd(getString(R.string.gallery_title), unread.getMessage());
          enrolment.stored();
        } else {
          String stored = getString(R.string.done_text, getResources().getQuantityString(R.plurals.templates, count, count));
          showEnd(
              getString(R.string.done_heading, enrolment.name()),
              enrolment.checks() ? stored : stored + "\n\n" + getString(R.string.done_unchecked));
          enrolment.stored();
        }
      }
    });
  }

  private void askForAnotherName(PocketFaceException error) {
    enrolment.renameFirst();
    showStep();
    ((EditText) findViewById(R.id.name)).setError(
        error instanceof GalleryException.Duplicate ? getString(R.string.name_taken, enrolment.name()) : error.getMessage());
  }

  private void showEnd(String heading, String text) {
    show(R.id.capture, false);
    show(R.id.duplicate, false);
    show(R.id.done, true);
    setText(R.id.done_heading, heading);
    setText(R.id.done_text, text);
  }

  private void setText(int view, String text) {
    TextView shown = findViewById(view);
    if (!shown.getText().toString().equals(text)) {
      shown.setText(text);
    }
  }
}
