"""A recipe that goes the whole way to a net of three levels in seconds."""

from toolchain.backbones import VGGGAP
from toolchain.compress.fine_tune_levels import FineTuneLevels
from toolchain.compress.prioritise import Prioritise
from toolchain.compress.prune_by_gain import PruneByGain
from toolchain.convert.fp32 import Fp32
from toolchain.convert.level import Level
from toolchain.losses import CentreLoss
from toolchain.recipe import Recipe
from toolchain.training.loop import Phase, TrainSettings

FEW = TrainSettings((Phase(30, 32),), batch=16)

RECIPE = Recipe(
    name="tiny_levels",
    summary="A net of three levels for tests.",
    variants=(Fp32(), Level(utilisation=0.75), Level(utilisation=0.5)),
    default_variant="fp32",
    backbone=VGGGAP(embedding_size=64, width=0.0625),
    train=(Prioritise(CentreLoss(), FEW), PruneByGain(), FineTuneLevels(CentreLoss(), FEW)),
)
