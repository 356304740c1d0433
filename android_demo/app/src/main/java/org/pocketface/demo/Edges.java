package org.pocketface.demo;

import android.graphics.Insets;
import android.os.Build;
import android.view.View;
import android.view.WindowInsets;

/** Keeps what a screen shows clear of the system's bars, the camera's cut-out and the keyboard: from targetSdk 35 on windows reach below them. */
final class Edges {
  private Edges() {}

  /** Adds to the padding of {@code root}, a screen's outermost view, what the system's bars take. */
  static void clear(View root) {
    final int left = root.getPaddingLeft();
    final int top = root.getPaddingTop();
    final int right = root.getPaddingRight();
    final int bottom = root.getPaddingBottom();
    root.setOnApplyWindowInsetsListener(new View.OnApplyWindowInsetsListener() {
      @Override
      public WindowInsets onApplyWindowInsets(View view, WindowInsets insets) {
        int[] taken = Build.VERSION.SDK_INT >= Build.VERSION_CODES.R ? taken(insets) : takenBefore30(insets);
        view.setPadding(left + taken[0], top + taken[1], right + taken[2], bottom + taken[3]);
        return insets;
      }
    });
  }

  /** Left, top, right, bottom in pixels. */
  @SinceApi(Build.VERSION_CODES.R)
  private static int[] taken(WindowInsets insets) {
    Insets taken = insets.getInsets(WindowInsets.Type.systemBars() | WindowInsets.Type.displayCutout() | WindowInsets.Type.ime());
    return new int[] {taken.left, taken.top, taken.right, taken.bottom};
  }

  @SuppressWarnings("deprecation") // its successor is there from API 30 on
  private static int[] takenBefore30(WindowInsets insets) {
    return new int[] {
      insets.getSystemWindowInsetLeft(), insets.getSystemWindowInsetTop(), insets.getSystemWindowInsetRight(), insets.getSystemWindowInsetBottom()
    };
  }
}
