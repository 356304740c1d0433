package org.pocketface.demo;

import android.app.Activity;
import android.view.View;
import android.widget.TextView;

/** The line at the top of a screen: the way back, and the screen's title. */
final class Header {
  private Header() {}

  /** Fills the header of {@code screen}, whose content view includes one. */
  static void fill(final Activity screen) {
    TextView title = screen.findViewById(R.id.title);
    title.setText(screen.getTitle());
    screen.findViewById(R.id.back).setOnClickListener(new View.OnClickListener() {
      @Override
      public void onClick(View view) {
        screen.finish();
      }
    });
  }
}
