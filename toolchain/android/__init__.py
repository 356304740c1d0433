"""An Android app and library from a bundle, with no Android SDK: Maven Central and Debian packages alone (docs/android.md).

`apk.py` builds, signs and verifies an app, `aar.py` the library; each other file is one step of it.
"""
