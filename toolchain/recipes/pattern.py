"""SEP-Net as its authors store it: the 3×3 filters signs with a scale, the 1×1 filters floats."""

from toolchain.backbones import SEPNet
from toolchain.compress.pattern_binarize import PatternBinarize
from toolchain.convert.fp32 import Fp32
from toolchain.losses import Contrastive, CosFace, Train
from toolchain.recipe import Recipe
from toolchain.recipes.forms.method import FINE_TUNING, method_variant
from toolchain.recipes.forms.short import FIRST, THEN

RECIPE = Recipe(
    name="pattern",
    summary="SEP-Net by CosFace, then by contrastive loss, its 3×3 filters signs with a scale",
    variants=(Fp32(), method_variant("pattern", PatternBinarize(FINE_TUNING))),
    default_variant="pattern",
    backbone=SEPNet(),
    train=(Train(CosFace(scale=32), FIRST), Train(Contrastive(), THEN)),
)
