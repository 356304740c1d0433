"""Half-width MobileFaceNet distilled from the full-width one by the teacher's embeddings alone, without labels."""

from toolchain.distill import FeatureConsistency
from toolchain.recipes.forms.short import distilled_recipe

RECIPE = distilled_recipe("mobilefacenet_fc", "Half-width MobileFaceNet, distilled by feature consistency", FeatureConsistency())
