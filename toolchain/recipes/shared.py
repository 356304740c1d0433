"""Weight sharing by k-means with trained values, on the int8 grid with a scale a channel."""

from toolchain.compress.fold_batch_norm import FoldBatchNorm
from toolchain.compress.share import Share
from toolchain.convert.compressed import Compressed
from toolchain.convert.fp32 import Fp32
from toolchain.losses import ArcFace, Train
from toolchain.recipe import FaceGate, Recipe
from toolchain.recipes.forms.method import BACKBONE, CODEBOOKS
from toolchain.recipes.forms.short import FIRST

RECIPE = Recipe(
    name="shared",
    summary="VGG11 by ArcFace, each layer's weights of 32 trained values on the int8 grid",
    variants=(
        Fp32(),
        Compressed(name="shared", stages=(FoldBatchNorm(), Share(CODEBOOKS, grid="int8", scaled="channel")), face_gate=FaceGate()),
    ),
    default_variant="shared",
    backbone=BACKBONE,
    train=(Train(ArcFace(scale=32), FIRST),),
)
