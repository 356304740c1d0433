"""Boards and servers with Linux on 64-bit Arm. TFLite 2.14 is the oldest runtime that the parity check runs."""

from toolchain.targets.base import Target

LINUX_ARM64 = Target("linux-arm64", {"tflite": "2.14"})
