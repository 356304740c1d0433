"""A recipe that goes the whole way in seconds: the narrowest MobileFaceNet, a few training steps, every variant."""

from toolchain.backbones import MobileFaceNet
from toolchain.compress.binarize import Binarize
from toolchain.compress.calibrate import Calibrate
from toolchain.compress.fold_batch_norm import FoldBatchNorm
from toolchain.compress.palettize import Palettize
from toolchain.convert.binary import BinaryWeights
from toolchain.convert.clustered import Clustered
from toolchain.convert.fp16 import Fp16
from toolchain.convert.fp32 import Fp32
from toolchain.convert.int8 import Int8
from toolchain.convert.int8_dynamic import Int8Dynamic
from toolchain.losses import ArcFace, Train
from toolchain.recipe import Gate, Recipe
from toolchain.training.loop import Phase, TrainSettings

FEW = TrainSettings((Phase(30),), batch=16)

RECIPE = Recipe(
    name="tiny",
    summary="A net for tests.",
    variants=(
        Fp32(),
        Fp16(),
        Int8Dynamic(),
        # A net of so few steps tells little apart: what int8 makes of it is not judged here.
        Int8(stages=(FoldBatchNorm(), Calibrate(faces=32)), gate=Gate(min_cosine=0.5)),
        BinaryWeights(stages=(Binarize(FEW), FoldBatchNorm(), Palettize(clusters=64, rate=0.002))),
        Clustered(stages=(FoldBatchNorm(), Palettize())),
    ),
    default_variant="int8",
    backbone=MobileFaceNet(embedding_size=64, width=0.125, activation="relu"),
    train=(Train(ArcFace(), FEW),),
)
