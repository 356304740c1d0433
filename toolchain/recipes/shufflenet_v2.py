"""ShuffleNet V2 of half width: by CosFace, then by batch hard triplets."""

from toolchain.backbones import ShuffleNetV2
from toolchain.losses import CosFace, Triplet
from toolchain.recipes.forms.short import short_recipe

BACKBONE = ShuffleNetV2(width=0.5)
RECIPE = short_recipe(
    "shufflenet_v2", "Half-width ShuffleNet V2, by CosFace, then by triplets", BACKBONE, CosFace(scale=32), then=Triplet()
)
