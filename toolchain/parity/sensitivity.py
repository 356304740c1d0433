"""Which layers int8 costs most: each is left float in turn, and what error that takes away is measured.

The analysis by layer of Nagel et al., "A White Paper on Neural Network Quantization" (arXiv:2106.08295, section 3.7).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from toolchain.convert.int8 import Int8, weighted
from toolchain.model import Model
from toolchain.parity.host import embeddings, reference_embeddings
from toolchain.variants import Workshop


@dataclass(frozen=True)
class Relief:
    """`error`: 1 - mean cosine to torch with the layer that makes `tensor` left float, as a share of the error without."""

    tensor: str
    error: float


def sensitivity(model: Model, variant: Int8, workshop: Workshop) -> tuple[Relief, ...]:
    """Every convolution and linear layer of `variant`, the one whose float form helps most first; their names are what
    `Int8.keep_float` takes. `model` went through the variant's stages. Measured on the workshop's images: faces kept aside or drawn
    ones, never those of a benchmark. Each conversion is kept, so that what was stopped goes on."""
    reference = reference_embeddings(model, workshop.images)

    def error(settings: Int8) -> float:
        found = embeddings(workshop.convert(settings, model), workshop.images, model.input)
        return 1.0 - float((found * reference).sum(1).mean())

    whole = error(variant)
    layers = weighted(workshop.converter.float32(model))[variant.float_front :]
    rest = [layer for layer in layers if layer not in variant.keep_float]
    relief = [
        Relief(name, error(replace(variant, keep_float=(*variant.keep_float, name))) / whole)
        for name in workshop.context.progress.track(rest, "layers")
    ]
    return tuple(sorted(relief, key=lambda item: item.error))
