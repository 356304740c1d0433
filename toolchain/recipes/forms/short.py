"""The form that the recipes of single backbones share: trained from scratch on labelled faces by one loss or two, or distilled from a
teacher that is trained so; four variants."""

from __future__ import annotations

from toolchain.backbones import Backbone, MobileFaceNet
from toolchain.compress.calibrate import Calibrate
from toolchain.compress.equalize import Equalize
from toolchain.compress.fold_batch_norm import FoldBatchNorm
from toolchain.convert.fp16 import Fp16
from toolchain.convert.fp32 import Fp32
from toolchain.convert.int8 import Int8
from toolchain.convert.int8_dynamic import Int8Dynamic
from toolchain.distill import Distill, TrainedTeacher
from toolchain.distill.base import Consistency
from toolchain.losses import ArcFace, Loss, Train
from toolchain.recipe import Recipe, Variant
from toolchain.stage import Stage
from toolchain.training.loop import Phase, TrainSettings

FIRST = TrainSettings((Phase(1500),), batch=64)
THEN = TrainSettings((Phase(500, learning_rate=5e-4),), batch=64)
FULL_WIDTH = TrainedTeacher(MobileFaceNet(activation="relu"), Train(ArcFace(scale=32), FIRST))
"""The teacher of the recipes that distil: MobileFaceNet as the recipe `mobilefacenet_full` trains it."""


def short_recipe(name: str, summary: str, backbone: Backbone, loss: Loss, then: Loss | None = None, no_int8: str | None = None) -> Recipe:
    """A recipe that trains `backbone` for 1,500 steps of 64 faces by `loss`, and, if given, for 500 more by `then`; `--steps` changes
    both. `no_int8`: of a net with operations that leave XNNPACK in static int8, the reason why it has no such variant."""
    stages = (Train(loss, FIRST),) if then is None else (Train(loss, FIRST), Train(then, THEN))
    return _recipe(name, summary, backbone, stages, no_int8)


def distilled_recipe(name: str, summary: str, by: Consistency) -> Recipe:
    """A recipe that distils a half-width MobileFaceNet by `by` from the full-width one, which is trained first and kept for the others;
    each for 1,500 steps of 64 faces."""
    stages = (Distill((FULL_WIDTH,), FIRST, by=by),)
    return _recipe(name, summary, MobileFaceNet(width=0.5, activation="relu"), stages, None)


def _recipe(name: str, summary: str, backbone: Backbone, stages: tuple[Stage, ...], no_int8: str | None) -> Recipe:
    variants: tuple[Variant, ...] = (Fp32(), Fp16(), Int8Dynamic())
    if no_int8 is not None:
        return Recipe(name, summary, variants, Int8Dynamic.name, backbone, train=stages, unsupported={Int8.name: no_int8})
    int8 = Int8(stages=(FoldBatchNorm(), Equalize(), Calibrate()))
    return Recipe(name, summary, (*variants, int8), Int8.name, backbone, train=stages)
