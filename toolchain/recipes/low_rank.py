"""Low rank: half of the multiply-adds by decomposition from responses, then trained on; stored on the int8 grid."""

from toolchain.compress.fold_batch_norm import FoldBatchNorm
from toolchain.compress.low_rank import LowRank
from toolchain.convert.compressed import Compressed
from toolchain.convert.fp32 import Fp32
from toolchain.losses import ArcFace, Train
from toolchain.recipe import FaceGate, Recipe
from toolchain.recipes.forms.method import BACKBONE, NEARLY_EXACT
from toolchain.recipes.forms.short import FIRST, THEN

STAGES = (LowRank(multiply_adds=0.5), Train(ArcFace(scale=32), THEN), FoldBatchNorm(), NEARLY_EXACT)

RECIPE = Recipe(
    name="low_rank",
    summary="VGG11 by ArcFace, decomposed to half of its multiply-adds",
    variants=(Fp32(), Compressed(name="low-rank", stages=STAGES, face_gate=FaceGate())),
    default_variant="low-rank",
    backbone=BACKBONE,
    train=(Train(ArcFace(scale=32), FIRST),),
)
