"""Half-width MobileFaceNet distilled from the full-width one by the teacher's embeddings and how alike it finds the faces of a batch."""

from toolchain.distill import CorrelationCongruence
from toolchain.recipes.forms.short import distilled_recipe

RECIPE = distilled_recipe("mobilefacenet_cc", "Half-width MobileFaceNet, distilled by correlation congruence", CorrelationCongruence())
