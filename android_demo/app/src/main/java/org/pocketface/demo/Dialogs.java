package org.pocketface.demo;

import android.app.Activity;
import android.app.AlertDialog;
import android.content.DialogInterface;

/** Questions and answers over a screen. */
final class Dialogs {
  private Dialogs() {}

  /** Asks before something that cannot be undone. {@code yes} is done where the user agrees. */
  static void confirm(Activity over, int title, String text, int action, Runnable yes) {
    confirm(over, over.getString(title), text, action, yes);
  }

  /** Asks before something that cannot be undone. {@code yes} is done where the user agrees. */
  static void confirm(Activity over, String title, String text, int action, final Runnable yes) {
    new AlertDialog.Builder(over)
        .setTitle(title)
        .setMessage(text)
        .setNegativeButton(R.string.cancel, null)
        .setPositiveButton(action, new DialogInterface.OnClickListener() {
          @Override
          public void onClick(DialogInterface dialog, int which) {
            yes.run();
          }
        })
        .show();
  }

  /** Says something that went wrong. */
  static void say(Activity over, String text) {
    new AlertDialog.Builder(over).setMessage(text).setPositiveButton(R.string.ok, null).show();
  }
}
