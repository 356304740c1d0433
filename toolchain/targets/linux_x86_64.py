"""Desktops and servers with Linux on x86-64. TFLite 2.14 is the oldest runtime that the parity check runs."""

from toolchain.targets.base import Target

LINUX_X86_64 = Target("linux-x86_64", {"tflite": "2.14"})
