package org.pocketface.demo;

import android.content.Intent;
import android.os.Bundle;
import android.view.View;
import android.widget.AdapterView;
import android.widget.ArrayAdapter;
import android.widget.Spinner;
import android.widget.TextView;
import java.text.NumberFormat;
import java.util.ArrayList;
import java.util.List;
import org.pocketface.sdk.gallery.OperatingPoint;
import org.pocketface.sdk.manifest.Threshold;

/** The first screen: who the camera sees, at the false match rate that the user picked, and the way to all other screens. */
public final class MainActivity extends CameraActivity implements AdapterView.OnItemSelectedListener {
  private FmrChoices choices;
  private double threshold = Double.NaN;
  private TextView status;
  private TextView detail;

  @Override
  protected void onCreate(Bundle saved) {
    super.onCreate(saved);
    setContentView(R.layout.main);
    Edges.clear(findViewById(R.id.root));
    status = findViewById(R.id.status);
    detail = findViewById(R.id.detail);
    opens(R.id.enrol, EnrolActivity.class);
    opens(R.id.people, PeopleActivity.class);
    opens(R.id.selftest, SelfTestActivity.class);
    opens(R.id.about, AboutActivity.class);
    findViewById(R.id.enrol).setEnabled(false);
    findViewById(R.id.people).setEnabled(false);
    findViewById(R.id.fmr_row).setVisibility(View.GONE);
    stageIsThere();
  }

  private void opens(int button, final Class<?> screen) {
    findViewById(button).setOnClickListener(new View.OnClickListener() {
      @Override
      public void onClick(View view) {
        startActivity(new Intent(MainActivity.this, screen));
      }
    });
  }

  @Override
  boolean wantsCamera() {
    return true;
  }

  @Override
  void onReady(Recognition ready) {
    findViewById(R.id.enrol).setEnabled(true);
    findViewById(R.id.people).setEnabled(true);
    choices = new FmrChoices(ready.thresholds());
    List<String> texts = new ArrayList<String>();
    for (Threshold choice : choices.thresholds()) {
      texts.add(getString(R.string.fmr_choice, number(FmrChoices.oneOf(choice.fmr)), choice.similarity));
    }
    findViewById(R.id.fmr_row).setVisibility(texts.isEmpty() ? View.GONE : View.VISIBLE);
    Spinner spinner = findViewById(R.id.fmr);
    ArrayAdapter<String> adapter = new ArrayAdapter<String>(this, R.layout.choice, texts);
    adapter.setDropDownViewResource(R.layout.choice_open);
    spinner.setAdapter(adapter);
    if (!texts.isEmpty()) {
      spinner.setSelection(choices.nearest(application().fmr()), false);
    }
    spinner.setOnItemSelectedListener(this);
    showThreshold();
  }

  @Override
  protected void onResume() {
    super.onResume();
    if (recognition() != null) {
      showThreshold(); // templates may have come or gone
    }
  }

  @Override
  public void onItemSelected(AdapterView<?> parent, View view, int position, long id) {
    application().setFmr(choices.thresholds().get(position).fmr);
    showThreshold();
  }

  @Override
  public void onNothingSelected(AdapterView<?> parent) {
    // The choice before stays in force.
  }

  private void showThreshold() {
    TextView note = findViewById(R.id.fmr_note);
    int chosen = choices.nearest(application().fmr());
    if (chosen < 0) {
      threshold = Double.NaN;
      note.setText(R.string.fmr_none);
      return;
    }
    Threshold picked = choices.thresholds().get(chosen);
    threshold = picked.similarity;
    int templates = recognition().templates();
    note.setVisibility(templates == 0 ? View.GONE : View.VISIBLE);
    String compared = getResources().getQuantityString(R.plurals.templates, templates, templates);
    double bound = OperatingPoint.atFmr(recognition().bundle(), recognition().variant(), picked.fmr).fpirBound(templates);
    long oneOf = bound > 0 ? FmrChoices.oneOf(bound) : 0;
    note.setText(oneOf > 1 ? getString(R.string.fmr_bound, compared, number(oneOf)) : getString(R.string.fmr_bound_weak, compared));
  }

  private static String number(long value) {
    return NumberFormat.getIntegerInstance().format(value);
  }

  @Override
  void onStage(Stage now) {
    if (now == Stage.LIVE) {
      say(getString(R.string.looking), getString(R.string.looking_detail));
    } else {
      say("", "");
    }
  }

  @Override
  void onSighting(Sighting sighting) {
    SightingText text = new SightingText(this, threshold);
    preview().setLabels(text.labels(sighting));
    say(text.status(sighting), text.detail(sighting));
  }

  private void say(String who, String figures) {
    if (!status.getText().toString().equals(who)) {
      status.setText(who);
      preview().setContentDescription(getString(R.string.preview_description, who));
    }
    detail.setText(figures);
    status.setVisibility(who.isEmpty() ? View.GONE : View.VISIBLE);
    detail.setVisibility(figures.isEmpty() ? View.GONE : View.VISIBLE);
  }
}
