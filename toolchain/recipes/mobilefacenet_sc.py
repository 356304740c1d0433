"""Half-width MobileFaceNet distilled from the full-width one by the teacher's embeddings and which other faces it finds a face like."""

from toolchain.distill import SimilarityConsistency
from toolchain.recipes.forms.short import distilled_recipe

RECIPE = distilled_recipe("mobilefacenet_sc", "Half-width MobileFaceNet, distilled by similarity consistency", SimilarityConsistency())
