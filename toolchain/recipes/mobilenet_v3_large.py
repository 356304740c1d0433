"""MobileNet V3 large: by CosFace on the hardest faces of each batch."""

from toolchain.backbones import MobileNetV3
from toolchain.losses import CosFace, HardExamples
from toolchain.recipes.forms.short import short_recipe

BACKBONE = MobileNetV3(size="large")
NO_INT8 = "XNNPACK has no int8 hard swish, so it would run the graph in many parts"
LOSS = HardExamples(of=CosFace(scale=32), keep=0.7)
RECIPE = short_recipe("mobilenet_v3_large", "MobileNet V3 large, by CosFace with hard example mining", BACKBONE, LOSS, no_int8=NO_INT8)
