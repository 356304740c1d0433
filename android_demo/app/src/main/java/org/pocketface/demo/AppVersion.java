package org.pocketface.demo;

import android.content.Context;
import android.content.pm.PackageManager;

/** The app's own version. */
final class AppVersion {
  private AppVersion() {}

  /** As the manifest states it. */
  static String of(Context context) {
    try {
      return context.getPackageManager().getPackageInfo(context.getPackageName(), 0).versionName;
    } catch (PackageManager.NameNotFoundException error) {
      throw new AssertionError("an app that runs is installed", error);
    }
  }
}
