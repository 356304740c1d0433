package androidx.test.runner.lifecycle;

/** Keeps the monitor that Robolectric makes for each test. */
public final class ActivityLifecycleMonitorRegistry {
  private static volatile ActivityLifecycleMonitor monitor;

  private ActivityLifecycleMonitorRegistry() {}

  public static void registerInstance(ActivityLifecycleMonitor made) {
    monitor = made;
  }

  public static ActivityLifecycleMonitor getInstance() {
    if (monitor == null) {
      throw new IllegalStateException("no monitor was registered");
    }
    return monitor;
  }
}
