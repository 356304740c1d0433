"""MobileNet V1, half as wide as the paper's: by CosFace."""

from toolchain.backbones import MobileNetV1
from toolchain.losses import CosFace
from toolchain.recipes.forms.short import short_recipe

RECIPE = short_recipe("mobilenet_v1", "Half-width MobileNet V1, by CosFace", MobileNetV1(width=0.5), CosFace(scale=32))
