"""Which layers int8 costs most: each is left float in turn, and what error that takes away is measured.

The analysis by layer of Nagel et al., "A White Paper on Neural Network Quantization" (arXiv:2106.08295, section 3.7).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from toolchain.convert.int8 import Int8, weighted
from toolchain.convert.route import Converter
from toolchain.model import Model
from toolchain.parity.host import embeddings, reference_embeddings
from toolchain.stage import Context


@dataclass(frozen=True)
class Relief:
    """`error`: 1 - mean cosine to torch with the layer that makes `tensor` left float, as a share of the error without."""

    tensor: str
    error: float


def sensitivity(
    model: Model, variant: Int8, converter: Converter, context: Context, images: npt.NDArray[np.uint8]
) -> tuple[Relief, ...]:
    """Every convolution and linear layer of `variant`, the one whose float form helps most first; their names are what
    `Int8.keep_float` takes. `images` uint8 `[N, H, W, 3]` RGB: faces kept aside, never those of a benchmark."""
    reference = reference_embeddings(model, images)

    def error(settings: Int8) -> float:
        found = embeddings(settings.convert(model, converter, context), images, model.input)
        return 1.0 - float((found * reference).sum(1).mean())

    whole = error(variant)
    layers = weighted(converter.float32(model))[variant.float_front :]
    relief = [
        Relief(name, error(replace(variant, keep_float=(*variant.keep_float, name))) / whole)
        for name in context.progress.track([layer for layer in layers if layer not in variant.keep_float], "sensitivity", len(layers))
    ]
    return tuple(sorted(relief, key=lambda item: item.error))
