"""The machine and the versions that a figure was measured with. Never part of a bundle's bytes."""

from __future__ import annotations

import os
import platform
from importlib import metadata
from pathlib import Path

import toolchain

CONVERSION = ("torch", "onnx", "onnx2tf", "tensorflow", "tf-keras", "ai-edge-quantizer", "ai-edge-litert", "numpy")


def conversion_versions() -> dict[str, str]:
    """The versions of this toolchain and of the packages that decide a bundle's bytes. The extra `toolchain` pins them, so
    they may stand in the manifest."""
    return {"pocketface": toolchain.__version__, **{name: metadata.version(name) for name in CONVERSION}}


def installed_versions() -> dict[str, str]:
    """Every installed distribution and its version."""
    found = {item.metadata["Name"].lower(): item.version for item in metadata.distributions() if item.metadata["Name"]}
    return dict(sorted(found.items()))


def machine() -> dict[str, str | int]:
    """Processor, cores that this process may use, system and Python."""
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        "machine": platform.machine(),
        "system": platform.platform(),
        "python": platform.python_version(),
    }


def _processor() -> str:
    """The processor's name; on Linux from /proc/cpuinfo, since platform.processor() is empty there."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or "unknown"
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())
