package androidx.test.runner.lifecycle;

import android.app.Activity;

/** Knows the stage of each activity. */
public interface ActivityLifecycleMonitor {
  Stage getLifecycleStageOf(Activity activity);
}
