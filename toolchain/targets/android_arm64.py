"""Phones and tablets on 64-bit Arm: Android 8.0 (API 26), the least that the SDK in this repository supports."""

from toolchain.targets.base import Target

ANDROID_ARM64 = Target("android-arm64", {"android-api": "26", "tflite": "2.14"})
