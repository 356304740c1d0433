package org.pocketface.demo;

import android.view.LayoutInflater;
import android.view.View;
import android.view.ViewGroup;
import android.widget.TextView;

/** Cards of a heading and some text, one below the other. */
final class Entries {
  private Entries() {}

  /** Adds a card to {@code list} and returns it. Its text can be selected and copied. */
  static View add(LayoutInflater inflater, ViewGroup list, String heading, String text) {
    View entry = inflater.inflate(R.layout.entry, list, false);
    ((TextView) entry.findViewById(R.id.entry_heading)).setText(heading);
    TextView body = entry.findViewById(R.id.entry_text);
    body.setText(text);
    body.setTextIsSelectable(true);
    list.addView(entry);
    return entry;
  }
}
