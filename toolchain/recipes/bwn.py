"""BWN, XNOR-Net's binary weights: a sign a weight and a scale a filter."""

from toolchain.compress.xnor import BWN
from toolchain.recipes.forms.method import FINE_TUNING, method_recipe

RECIPE = method_recipe("bwn", "VGG11 by ArcFace, its weights signs with a scale a filter (BWN)", BWN(FINE_TUNING))
