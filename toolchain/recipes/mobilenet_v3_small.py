"""MobileNet V3 small: by ArcFace on the hardest faces of each batch."""

from toolchain.backbones import MobileNetV3
from toolchain.losses import ArcFace, HardExamples
from toolchain.recipes.forms.short import short_recipe

NO_INT8 = "XNNPACK has no int8 hard swish, so it would run the graph in 20 parts"
LOSS = HardExamples(of=ArcFace(scale=32), keep=0.7)
RECIPE = short_recipe("mobilenet_v3_small", "MobileNet V3 small, by ArcFace with hard example mining", MobileNetV3(), LOSS, no_int8=NO_INT8)
