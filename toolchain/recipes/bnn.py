"""BNN: signs for weights and for what the layers read, these drawn while training. No faster than floats in TFLite: what it saves is
bytes."""

from toolchain.compress.bnn import BNN, SIGNS_AGREE
from toolchain.method_recipe import FINE_TUNING, method_recipe

RECIPE = method_recipe("bnn", "VGG11 by ArcFace, its weights and inputs signs (BNN)", BNN(FINE_TUNING, stochastic=True), SIGNS_AGREE)
