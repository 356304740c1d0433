"""A stand-in for Android's C library, so that an APK's arm64 library runs in an ordinary process for arm64."""
