"""MobileFaceNet from scratch, as wide as the paper's: by ArcFace. It is the teacher of the recipes that distil a half-width one."""

from toolchain.recipes.forms.short import FULL_WIDTH, short_recipe

RECIPE = short_recipe("mobilefacenet_full", "MobileFaceNet, by ArcFace", FULL_WIDTH.backbone, FULL_WIDTH.by.loss)
