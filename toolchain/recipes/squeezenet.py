"""SqueezeNet: by focal loss on CosFace's logits."""

from toolchain.backbones import SqueezeNet
from toolchain.losses import CosFace, Focal
from toolchain.recipes.forms.short import short_recipe

BACKBONE = SqueezeNet(embedding_size=128)
RECIPE = short_recipe("squeezenet", "SqueezeNet, by focal loss on CosFace", BACKBONE, Focal(of=CosFace(scale=32)))
