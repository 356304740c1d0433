"""The form that the recipes of weights of few values share: one net, trained from scratch, and beside it what one method makes of it."""

from __future__ import annotations

from toolchain.backbones import VGG11
from toolchain.compress.fold_batch_norm import FoldBatchNorm
from toolchain.compress.latent_weights import LatentTraining
from toolchain.compress.round_to_half import RoundToHalf
from toolchain.compress.share import Share
from toolchain.convert.compressed import Compressed
from toolchain.convert.fp32 import SAME_SUMS, Fp32
from toolchain.losses import ArcFace, Train
from toolchain.recipe import FaceGate, Gate, Recipe
from toolchain.recipes.forms.short import FIRST
from toolchain.training.loop import Phase, TrainSettings

FINE_TUNING = TrainSettings((Phase(1500, learning_rate=2e-3),), batch=64, optimizer="adamw", weight_decay=0.0)
CODEBOOKS = TrainSettings((Phase(500, learning_rate=1e-3),), batch=64, optimizer="adamw", weight_decay=0.0)
NEARLY_EXACT = Share(clusters=254, fine_clusters=254, grid="int8", scaled="channel")
"""Stores weights on the int8 grid, for a method that is about something else."""
BACKBONE = VGG11(embedding_size=128, pixels=112, shrink=True, shallow=True)
"""Five full convolutions, as AlexNet has, on which XNOR-Net and BinaryConnect were tried: every method finds its layers here."""


def method_variant(name: str, stage: LatentTraining, gate: Gate = SAME_SUMS) -> Compressed:
    """What `stage` makes of a net. Nothing is asked of it in face terms: after a training this short there is little to keep."""
    return Compressed(name=name, stages=(stage, FoldBatchNorm(), RoundToHalf()), gate=gate, face_gate=FaceGate())


def method_recipe(name: str, summary: str, stage: LatentTraining, gate: Gate = SAME_SUMS) -> Recipe:
    """A recipe that trains the net for 1,500 steps of 64 faces by ArcFace and fine-tunes it for as many by `stage`; `--steps` changes
    both. The variant has the recipe's name, with hyphens."""
    variant = method_variant(name.replace("_", "-"), stage, gate)
    return Recipe(name, summary, (Fp32(), variant), variant.name, BACKBONE, train=(Train(ArcFace(scale=32), FIRST),))
