"""MobileFaceNet from scratch, half as wide as the paper's and with ReLU, which int8 runs fastest: by ArcFace."""

from toolchain.backbones import MobileFaceNet
from toolchain.losses import ArcFace
from toolchain.recipes.forms.short import short_recipe

RECIPE = short_recipe(
    "mobilefacenet", "Half-width MobileFaceNet, by ArcFace", MobileFaceNet(width=0.5, activation="relu"), ArcFace(scale=32)
)
