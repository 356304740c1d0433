"""BinaryConnect: signs alone for weights. `BinaryConnect(…, stochastic=True)` draws them while training."""

from toolchain.compress.binary_connect import BinaryConnect
from toolchain.recipes.forms.method import FINE_TUNING, method_recipe

RECIPE = method_recipe("binary_connect", "VGG11 by ArcFace, its weights signs (BinaryConnect)", BinaryConnect(FINE_TUNING))
