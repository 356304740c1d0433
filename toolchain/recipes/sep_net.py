"""SEP-Net: by CosFace, then by contrastive loss on pairs."""

from toolchain.backbones import SEPNet
from toolchain.losses import Contrastive, CosFace
from toolchain.recipes.forms.short import short_recipe

RECIPE = short_recipe("sep_net", "SEP-Net, by CosFace, then by contrastive loss", SEPNet(), CosFace(scale=32), then=Contrastive())
