"""VGG-GAP, an eighth of VGG-16's width: by softmax and centre loss, as the authors of channel prioritisation trained it."""

from toolchain.backbones import VGGGAP
from toolchain.losses import CentreLoss
from toolchain.recipes.forms.short import short_recipe

BACKBONE = VGGGAP(embedding_size=128, width=0.125)
RECIPE = short_recipe("vgg_gap", "VGG-GAP, by softmax and centre loss", BACKBONE, CentreLoss())
