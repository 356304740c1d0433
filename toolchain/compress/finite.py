"""What every stage asks of the net that it is given: that its values are numbers."""

from __future__ import annotations

from torch import nn

from toolchain.errors import ToolchainError


def require_finite(stage: str, net: nn.Module) -> None:
    """Error: ToolchainError where a parameter or statistic of `net` is NaN or infinite. A sign would hide it, clusters cannot hold it,
    and other stages would pass it on to whoever finds it last."""
    for name, value in net.state_dict().items():
        wrong = int((~value.isfinite()).sum())
        if wrong:
            raise ToolchainError(f"{stage}: {name}: expected finite weights, got {wrong} that are not; train the net anew")
