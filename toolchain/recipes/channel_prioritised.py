"""VGG-GAP with prioritised channels: one training, one stored copy of the weights, and three widths to choose from on the phone."""

from toolchain.backbones import VGGGAP
from toolchain.compress.fine_tune_levels import FineTuneLevels
from toolchain.compress.prioritise import Prioritise
from toolchain.compress.prune_by_gain import PruneByGain
from toolchain.convert.fp32 import Fp32
from toolchain.convert.level import Level
from toolchain.losses import CentreLoss
from toolchain.recipe import Recipe
from toolchain.recipes.forms.short import FIRST, THEN

RECIPE = Recipe(
    name="channel_prioritised",
    summary="VGG-GAP with prioritised channels, at 100, 75 and 50 % of them",
    variants=(Fp32(), Level(utilisation=0.75), Level(utilisation=0.5)),
    default_variant="fp32",
    backbone=VGGGAP(embedding_size=128, width=0.25),
    train=(Prioritise(CentreLoss(), FIRST), PruneByGain(), FineTuneLevels(CentreLoss(), THEN)),
)
