"""BNN: signs for weights and for what the layers read. No faster than floats in TFLite: what it saves is bytes. `BNN(…, stochastic=True)`
draws what the layers read while training."""

from toolchain.compress.bnn import BNN, SIGNS_AGREE
from toolchain.recipes.forms.method import FINE_TUNING, method_recipe

RECIPE = method_recipe("bnn", "VGG11 by ArcFace, its weights and inputs signs (BNN)", BNN(FINE_TUNING), SIGNS_AGREE)
