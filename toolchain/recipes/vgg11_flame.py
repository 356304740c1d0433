"""VGG11 with Flame modules and half the filters, at 112 pixels: by softmax on features of one length, as its authors trained it."""

from toolchain.backbones import VGG11
from toolchain.losses import Softmax
from toolchain.recipes.forms.short import short_recipe

BACKBONE = VGG11(embedding_size=128, pixels=112, module="flame", shrink=True)
RECIPE = short_recipe("vgg11_flame", "VGG11 with Flame modules, by softmax", BACKBONE, Softmax(feature_length=16))
