"""Trained ternary quantization: 0 and two learnt values a layer."""

from toolchain.compress.ternary import Ternarize
from toolchain.recipes.forms.method import FINE_TUNING, method_recipe

RECIPE = method_recipe("ternary", "VGG11 by ArcFace, its weights of three trained values (TTQ)", Ternarize(FINE_TUNING))
