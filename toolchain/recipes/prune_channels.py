"""Network Slimming without its penalty: a third of the channels go by their batch norm gains, then the net is trained on; stored on
the int8 grid."""

from toolchain.compress.fold_batch_norm import FoldBatchNorm
from toolchain.compress.prune_channels import PruneChannels
from toolchain.convert.compressed import Compressed
from toolchain.convert.fp32 import Fp32
from toolchain.losses import ArcFace, Train
from toolchain.recipe import FaceGate, Recipe
from toolchain.recipes.forms.method import BACKBONE, NEARLY_EXACT
from toolchain.recipes.forms.short import FIRST, THEN

STAGES = (PruneChannels(share=1 / 3), Train(ArcFace(scale=32), THEN), FoldBatchNorm(), NEARLY_EXACT)

RECIPE = Recipe(
    name="prune_channels",
    summary="VGG11 by ArcFace, less a third of its channels",
    variants=(Fp32(), Compressed(name="prune-channels", stages=STAGES, face_gate=FaceGate())),
    default_variant="prune-channels",
    backbone=BACKBONE,
    train=(Train(ArcFace(scale=32), FIRST),),
)
