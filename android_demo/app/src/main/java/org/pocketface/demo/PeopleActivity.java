package org.pocketface.demo;

import android.app.Activity;
import android.app.AlertDialog;
import android.content.DialogInterface;
import android.content.Intent;
import android.os.Bundle;
import android.text.InputType;
import android.view.View;
import android.widget.EditText;
import android.widget.FrameLayout;
import android.widget.ListView;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.pocketface.sdk.PocketFaceException;
import org.pocketface.sdk.gallery.Gallery;
import org.pocketface.sdk.gallery.Person;

/** Who is enrolled: rename, delete, enrol again, delete all. */
public final class PeopleActivity extends Activity implements DemoApplication.Listener, PersonAdapter.Actions {
  /** Something that is done to the gallery, on the background thread. */
  private interface Change {
    void make(Gallery gallery);
  }

  private Recognition recognition;
  private PersonAdapter adapter;

  @Override
  protected void onCreate(Bundle saved) {
    super.onCreate(saved);
    setContentView(R.layout.people);
    Edges.clear(findViewById(R.id.root));
    Header.fill(this);
    adapter = new PersonAdapter(this, this);
    ((ListView) findViewById(R.id.list)).setAdapter(adapter);
    findViewById(R.id.delete_all).setOnClickListener(new View.OnClickListener() {
      @Override
      public void onClick(View view) {
        askToDeleteAll();
      }
    });
    findViewById(R.id.delete_all).setVisibility(View.GONE);
  }

  @Override
  protected void onResume() {
    super.onResume();
    application().whenLoaded(this);
  }

  @Override
  public void loaded(Loaded loaded) {
    if (loaded.error() != null) {
      finish(); // the first screen says what is the matter
      return;
    }
    recognition = loaded.recognition();
    change(new Change() {
      @Override
      public void make(Gallery gallery) {
        // Nothing: only to be read.
      }
    });
  }

  @Override
  public void rename(final Person person) {
    final EditText name = new EditText(this);
    name.setId(R.id.name);
    name.setText(person.name());
    name.setSelectAllOnFocus(true);
    name.setInputType(InputType.TYPE_CLASS_TEXT | InputType.TYPE_TEXT_VARIATION_PERSON_NAME | InputType.TYPE_TEXT_FLAG_CAP_WORDS);
    name.setContentDescription(getString(R.string.name_label));
    FrameLayout frame = new FrameLayout(this);
    int space = getResources().getDimensionPixelSize(R.dimen.space_large);
    frame.setPadding(space, 0, space, 0);
    frame.addView(name);
    new AlertDialog.Builder(this)
        .setTitle(getString(R.string.rename_title, person.name()))
        .setView(frame)
        .setNegativeButton(R.string.cancel, null)
        .setPositiveButton(R.string.rename, new DialogInterface.OnClickListener() {
          @Override
          public void onClick(DialogInterface dialog, int which) {
            final String given = name.getText().toString();
            change(new Change() {
              @Override
              public void make(Gallery gallery) {
                gallery.rename(person.id(), given);
              }
            });
          }
        })
        .show();
  }

  @Override
  public void delete(final Person person) {
    String text = getString(R.string.delete_text, person.name());
    Dialogs.confirm(this, getString(R.string.delete_title, person.name()), text, R.string.delete, new Runnable() {
      @Override
      public void run() {
        change(new Change() {
          @Override
          public void make(Gallery gallery) {
            gallery.delete(person.id());
          }
        });
      }
    });
  }

  @Override
  public void enrolAgain(Person person) {
    startActivity(new Intent(this, EnrolActivity.class)
        .putExtra(EnrolActivity.PERSON_ID, person.id())
        .putExtra(EnrolActivity.PERSON_NAME, person.name()));
  }

  private void askToDeleteAll() {
    Dialogs.confirm(this, R.string.delete_all_title, getString(R.string.delete_all_text), R.string.delete_all, new Runnable() {
      @Override
      public void run() {
        change(new Change() {
          @Override
          public void make(Gallery gallery) {
            gallery.deleteAll();
          }
        });
      }
    });
  }

  /** Makes a change and shows what is there then. */
  private void change(final Change change) {
    final Recognition used = recognition;
    application().background().execute(new Runnable() {
      @Override
      public void run() {
        String error = null;
        List<Person> people = null;
        Set<String> again = new HashSet<String>();
        try {
          change.make(used.gallery());
        } catch (PocketFaceException wrong) {
          error = wrong.getMessage();
        }
        try {
          used.galleryChanged();
          for (Person person : used.gallery().enrolAgain(Collections.singleton(used.model().sha256()))) {
            again.add(person.id());
          }
          people = used.gallery().people();
        } catch (PocketFaceException wrong) {
          error = wrong.getMessage();
        }
        show(people, again, error);
      }
    });
  }

  /** On the background thread. {@code people} null: they cannot be read, and what is shown stays. */
  private void show(final List<Person> people, final Set<String> again, final String error) {
    application().onMain(new Runnable() {
      @Override
      public void run() {
        if (isDestroyed()) {
          return;
        }
        if (people != null) {
          adapter.show(people, again);
          ((ListView) findViewById(R.id.list)).setEmptyView(findViewById(R.id.empty));
        }
        findViewById(R.id.delete_all).setVisibility(people != null && people.isEmpty() ? View.GONE : View.VISIBLE);
        if (error != null) {
          Dialogs.say(PeopleActivity.this, error);
        }
      }
    });
  }

  private DemoApplication application() {
    return (DemoApplication) getApplication();
  }
}
