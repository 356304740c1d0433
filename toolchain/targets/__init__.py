"""Where a bundle can run: one file a target, with what it adds to the bundle."""

from toolchain.targets.android_arm64 import ANDROID_ARM64
from toolchain.targets.base import Target as Target
from toolchain.targets.linux_arm64 import LINUX_ARM64
from toolchain.targets.linux_x86_64 import LINUX_X86_64

TARGETS = {target.name: target for target in (ANDROID_ARM64, LINUX_ARM64, LINUX_X86_64)}
