"""Log min-max quantization of the whole net to 10 bits, on half-width MobileFaceNet trained from scratch by ArcFace."""

from toolchain.backbones import MobileFaceNet
from toolchain.compress.fold_batch_norm import FoldBatchNorm
from toolchain.compress.log_min_max import LogMinMax
from toolchain.convert.compressed import Compressed
from toolchain.convert.fp32 import Fp32
from toolchain.losses import ArcFace, Train
from toolchain.recipe import Recipe
from toolchain.recipes.forms.short import FIRST

RECIPE = Recipe(
    name="log_min_max",
    summary="Half-width MobileFaceNet by ArcFace, its weights on a 10-bit logarithmic grid",
    variants=(Fp32(), Compressed(name="log-min-max", stages=(FoldBatchNorm(), LogMinMax(bits=10, centred=True)))),
    default_variant="log-min-max",
    backbone=MobileFaceNet(width=0.5, activation="relu"),
    train=(Train(ArcFace(scale=32), FIRST),),
)
