package org.pocketface.demo;

import android.content.Context;
import android.view.LayoutInflater;
import android.view.View;
import android.view.ViewGroup;
import android.widget.BaseAdapter;
import android.widget.Button;
import android.widget.TextView;
import java.text.DateFormat;
import java.util.Collections;
import java.util.Date;
import java.util.List;
import java.util.Set;
import org.pocketface.sdk.gallery.Person;

/** A row for each person: the name, how many templates of when, and what can be done. */
final class PersonAdapter extends BaseAdapter {
  /** What a row's buttons do. */
  interface Actions {
    void rename(Person person);

    void delete(Person person);

    /** The person has no template of the app's model. */
    void enrolAgain(Person person);
  }

  private final Context context;
  private final Actions actions;
  private List<Person> people = Collections.emptyList();
  private Set<String> again = Collections.emptySet();

  PersonAdapter(Context context, Actions actions) {
    this.context = context;
    this.actions = actions;
  }

  /** Shows {@code people}; {@code again} are the ids of those who have no template of the app's model. */
  void show(List<Person> people, Set<String> again) {
    this.people = people;
    this.again = again;
    notifyDataSetChanged();
  }

  @Override
  public int getCount() {
    return people.size();
  }

  @Override
  public Person getItem(int position) {
    return people.get(position);
  }

  @Override
  public long getItemId(int position) {
    return position;
  }

  @Override
  public View getView(int position, View old, ViewGroup parent) {
    View row = old != null ? old : LayoutInflater.from(context).inflate(R.layout.person, parent, false);
    final Person person = getItem(position);
    TextView name = row.findViewById(R.id.person_name);
    name.setText(person.name());
    TextView detail = row.findViewById(R.id.person_detail);
    detail.setText(detail(person));
    button(row, R.id.enrol_again, R.string.enrol_again_description, person, new View.OnClickListener() {
      @Override
      public void onClick(View view) {
        actions.enrolAgain(person);
      }
    }).setVisibility(again.contains(person.id()) ? View.VISIBLE : View.GONE);
    button(row, R.id.rename, R.string.rename_description, person, new View.OnClickListener() {
      @Override
      public void onClick(View view) {
        actions.rename(person);
      }
    });
    button(row, R.id.delete, R.string.delete_description, person, new View.OnClickListener() {
      @Override
      public void onClick(View view) {
        actions.delete(person);
      }
    });
    return row;
  }

  private Button button(View row, int id, int description, Person person, View.OnClickListener listener) {
    Button button = row.findViewById(id);
    button.setContentDescription(context.getString(description, person.name()));
    button.setOnClickListener(listener);
    return button;
  }

  private String detail(Person person) {
    int count = person.templates().size();
    long newest = person.templates().get(count - 1).created();
    String templates = context.getResources().getQuantityString(R.plurals.templates, count, count);
    String date = DateFormat.getDateInstance(DateFormat.MEDIUM).format(new Date(newest));
    String made = context.getString(R.string.people_templates, templates, date);
    return again.contains(person.id()) ? made + "\n" + context.getString(R.string.people_again) : made;
  }
}
