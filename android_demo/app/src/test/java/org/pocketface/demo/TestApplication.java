package org.pocketface.demo;

import java.io.File;
import org.pocketface.sdk.Bundle;

/** The app with a bundle of the test's. */
public class TestApplication extends DemoApplication {
  /** File of the bundle, in the folder of tests/android/screens.py. */
  static String bundle = "assets/model.pface";

  @Override
  Bundle openBundle() {
    return Bundle.open(new File(System.getProperty("pocketface.screens"), bundle));
  }
}
