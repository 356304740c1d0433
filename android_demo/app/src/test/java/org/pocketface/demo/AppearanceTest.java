package org.pocketface.demo;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertTrue;

import android.content.Context;
import android.graphics.Color;
import android.graphics.Insets;
import android.view.WindowInsets;
import android.widget.FrameLayout;
import org.junit.Test;
import org.junit.runner.RunWith;
import org.robolectric.RobolectricTestRunner;
import org.robolectric.RuntimeEnvironment;
import org.robolectric.annotation.Config;

/** What holds for every screen: letters can be read, and nothing lies below the system's bars. */
@RunWith(RobolectricTestRunner.class)
@Config(sdk = 35, application = android.app.Application.class)
public final class AppearanceTest {
  /** For letters of ordinary size: WCAG 2.2, success criterion 1.4.3, level AA. */
  private static final double LEAST_CONTRAST = 4.5;

  private static final int[][] LETTERS_ON = {
    {R.color.text, R.color.background}, {R.color.text, R.color.surface}, {R.color.text_secondary, R.color.background},
    {R.color.text_secondary, R.color.surface}, {R.color.text_secondary, R.color.outline}, {R.color.on_accent, R.color.accent},
    {R.color.accent, R.color.surface}, {R.color.error, R.color.surface}, {R.color.on_error_container, R.color.error_container}
  };

  @Test
  public void lettersStandOutByDay() {
    RuntimeEnvironment.setQualifiers("notnight");
    checkContrasts();
  }

  @Test
  public void lettersStandOutByNight() {
    RuntimeEnvironment.setQualifiers("night");
    checkContrasts();
  }

  @Test
  public void labelsStandOutOnAnyPicture() {
    // The plate lets 20 % of the picture through: white is the worst that can lie below it.
    Context context = RuntimeEnvironment.getApplication();
    int plate = context.getColor(R.color.label_background);
    double through = 1 - Color.alpha(plate) / 255.0;
    int worst = Color.rgb(
        (int) (255 * through + Color.red(plate) * (1 - through)), (int) (255 * through + Color.green(plate) * (1 - through)),
        (int) (255 * through + Color.blue(plate) * (1 - through)));
    for (int letters : new int[] {R.color.box_known, R.color.box_unknown, R.color.box_poor}) {
      assertTrue(contrast(context.getColor(letters), worst) >= LEAST_CONTRAST);
    }
  }

  @Test
  public void barsCutOutAndKeyboardAreKeptClearOf() {
    FrameLayout root = new FrameLayout(RuntimeEnvironment.getApplication());
    root.setPadding(1, 2, 3, 4);
    Edges.clear(root);
    WindowInsets insets = new WindowInsets.Builder()
        .setInsets(WindowInsets.Type.systemBars(), Insets.of(0, 48, 0, 96))
        .setInsets(WindowInsets.Type.displayCutout(), Insets.of(60, 0, 0, 0))
        .setInsets(WindowInsets.Type.ime(), Insets.of(0, 0, 0, 500))
        .build();
    root.dispatchApplyWindowInsets(insets);
    root.dispatchApplyWindowInsets(insets); // again: nothing adds up
    assertEquals(61, root.getPaddingLeft());
    assertEquals(50, root.getPaddingTop());
    assertEquals(3, root.getPaddingRight());
    assertEquals(504, root.getPaddingBottom());
  }

  private static void checkContrasts() {
    Context context = RuntimeEnvironment.getApplication();
    for (int[] pair : LETTERS_ON) {
      double contrast = contrast(context.getColor(pair[0]), context.getColor(pair[1]));
      String names = context.getResources().getResourceEntryName(pair[0]) + " on " + context.getResources().getResourceEntryName(pair[1]);
      assertTrue(names + ": " + contrast, contrast >= LEAST_CONTRAST);
    }
  }

  /** WCAG 2.2's contrast ratio, 1 to 21. */
  private static double contrast(int first, int second) {
    double one = Color.luminance(first) + 0.05;
    double other = Color.luminance(second) + 0.05;
    return Math.max(one, other) / Math.min(one, other);
  }
}
