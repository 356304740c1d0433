"""Half-width MobileFaceNet distilled from the full-width one by embeddings, hard faces weighing more, its filters kept apart."""

from toolchain.distill import ExclusivityConsistency
from toolchain.recipes.forms.short import distilled_recipe

RECIPE = distilled_recipe(
    "mobilefacenet_ec", "Half-width MobileFaceNet, distilled by exclusivity and consistency", ExclusivityConsistency()
)
