"""Deep Compression: a tenth of the weights, of 32 values, on the net of the recipes of weights of few values; and its first step alone."""

from toolchain.compress.fold_batch_norm import FoldBatchNorm
from toolchain.compress.prune import Prune
from toolchain.compress.share import Share
from toolchain.convert.compressed import Compressed
from toolchain.convert.fp32 import Fp32
from toolchain.losses import ArcFace, Train
from toolchain.recipe import FaceGate, Recipe
from toolchain.recipes.forms.method import BACKBONE, CODEBOOKS, FINE_TUNING, NEARLY_EXACT
from toolchain.recipes.forms.short import FIRST

PRUNED = (Prune(FINE_TUNING, density=0.1), FoldBatchNorm())

RECIPE = Recipe(
    name="deep_compression",
    summary="VGG11 by ArcFace, pruned to a tenth and its values shared (Deep Compression)",
    variants=(
        Fp32(),
        # How small pruning alone makes a file.
        Compressed(name="pruned", stages=(*PRUNED, NEARLY_EXACT), face_gate=FaceGate()),
        # After a training this short there is little to keep: nothing is asked of either in face terms.
        Compressed(name="deep-compression", stages=(*PRUNED, Share(CODEBOOKS)), face_gate=FaceGate()),
    ),
    default_variant="deep-compression",
    backbone=BACKBONE,
    train=(Train(ArcFace(scale=32), FIRST),),
)
