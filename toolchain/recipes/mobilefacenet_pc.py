"""Half-width MobileFaceNet distilled from the full-width one by its probabilities of the identities, beside ArcFace on the labels."""

from toolchain.distill import ProbabilityConsistency
from toolchain.recipes.forms.short import distilled_recipe

RECIPE = distilled_recipe("mobilefacenet_pc", "Half-width MobileFaceNet, distilled by probability consistency", ProbabilityConsistency())
