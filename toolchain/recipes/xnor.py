"""XNOR-Net: signs with scales for weights and for what the layers read. No faster than floats in TFLite: what it saves is bytes."""

from toolchain.compress.bnn import SIGNS_AGREE
from toolchain.compress.xnor import XNOR
from toolchain.recipes.forms.method import FINE_TUNING, method_recipe

RECIPE = method_recipe("xnor", "VGG11 by ArcFace, its weights and inputs signs with scales (XNOR-Net)", XNOR(FINE_TUNING), SIGNS_AGREE)
