"""Which layers suffer most in int8, weights and activations: each is made int8 alone, all others stay float, on the runtime."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Sequence

from toolchain.convert.quantizer import static_int8, weighted
from toolchain.kept import KeptBytes, key_of
from toolchain.model import Model
from toolchain.parity.host import embeddings
from toolchain.sensitivity.sensitivity import Damage, Gauge, Images, Track, worst_first


def int8_damages(
    model: Model, tflite: bytes, layers: Sequence[str], images: Images, gauge: Gauge, kept: KeptBytes, track: Track
) -> tuple[Damage, ...]:
    """What each of `layers`, named as `weighted` does, suffers in int8, the worst first. `tflite`: the float form of `model`, which has
    its ranges; `images`: those that the gauge has the embeddings of. Conversions are kept, so that what was stopped goes on."""
    every = weighted(tflite)
    digest = hashlib.sha256(tflite).hexdigest()
    found = []
    for name in track(tuple(layers)):
        made = functools.partial(static_int8, tflite, model.ranges, [other for other in every if other != name])
        key = key_of(made="int8 layer", tflite=digest, ranges={tensor: list(bounds) for tensor, bounds in model.ranges.items()}, layer=name)
        found.append(gauge.damage(name, every[name], embeddings(kept.get(key, made), images, model.input).astype("float32")))
    return worst_first(found)
