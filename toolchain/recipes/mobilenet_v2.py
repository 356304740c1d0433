"""MobileNet V2, half as wide as the paper's: by SphereFace."""

from toolchain.backbones import MobileNetV2
from toolchain.losses import SphereFace
from toolchain.recipes.forms.short import short_recipe

RECIPE = short_recipe("mobilenet_v2", "Half-width MobileNet V2, by SphereFace", MobileNetV2(width=0.5), SphereFace())
