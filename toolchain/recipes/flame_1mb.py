"""VGG11 with Flame modules under 10-bit log min-max: "1.13MB Model for 2360 Classes Face Recognition" (Shih, Huang, Chung, National
Taiwan University).

    toolchain table flame-1mb --images faces-celeba.tar
    toolchain build flame-1mb --target android-arm64 --images faces-celeba.tar faces-fiw.tar
    toolchain evaluate flame_1mb-android-arm64.pface --images lfw-view2.tar --pairs lfw-pairs.txt

The first says what the authors say: closed-set accuracy beside VGG11's in fp32, and bytes with their classifier. The second trains the
net on all the faces at hand and makes a bundle of it, which has no classifier: what is stored is the embedder. The third tells how
well that does on people it never saw. The authors' files come out as if their classifier read 256 features, so that many are here.
"""

from toolchain.backbones import VGG11
from toolchain.compress.fold_batch_norm import FoldBatchNorm
from toolchain.compress.log_min_max import LogMinMax
from toolchain.convert.compressed import Compressed
from toolchain.convert.fp32 import Fp32
from toolchain.losses import Softmax, Train
from toolchain.recipe import Recipe
from toolchain.training.loop import Phase, TrainSettings

TEN_BITS = LogMinMax(bits=10, centred=True)
# bfloat16: two and a half times faster on processors that have it.
SETTINGS = TrainSettings((Phase(1500),), batch=64, precision="bf16-mixed")

RECIPE = Recipe(
    name="flame_1mb",
    summary="VGG11 with Flame modules, by softmax, its weights on a 10-bit logarithmic grid",
    variants=(Fp32(), Compressed(name="log-min-max", stages=(FoldBatchNorm(), TEN_BITS))),
    default_variant="log-min-max",
    backbone=VGG11(embedding_size=256, pixels=112, module="flame"),
    train=(Train(Softmax(feature_length=16), SETTINGS),),
)
