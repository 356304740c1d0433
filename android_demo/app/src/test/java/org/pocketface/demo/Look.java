package org.pocketface.demo;

import org.robolectric.RuntimeEnvironment;

/** How a phone is set when a screen is rendered. */
enum Look {
  LIGHT("w360dp-h740dp-port-notnight-xhdpi", 1f),
  DARK("w360dp-h740dp-port-night-xhdpi", 1f),
  LARGE("w360dp-h740dp-port-notnight-xhdpi", 2f),
  LANDSCAPE("w740dp-h360dp-land-notnight-xhdpi", 1f);

  private final String qualifiers;
  private final float fontScale;

  Look(String qualifiers, float fontScale) {
    this.qualifiers = qualifiers;
    this.fontScale = fontScale;
  }

  /** Sets Robolectric's phone so. */
  void set() {
    RuntimeEnvironment.setQualifiers(qualifiers);
    RuntimeEnvironment.setFontScale(fontScale);
  }
}
