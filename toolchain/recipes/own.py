"""What `--weights` goes through: every variant of a net that was brought in, ONNX or safetensors, with or without batch norm.

Meant for nets of about a million weights; fine-tuning on `--images` takes about an hour and a half of one CPU core, `--steps`
changes it.
"""

from toolchain.compress.binarize import Binarize
from toolchain.compress.calibrate import Calibrate
from toolchain.compress.equalize import Equalize
from toolchain.compress.fold_batch_norm import FoldBatchNorm
from toolchain.compress.insert_batch_norm import InsertBatchNorm
from toolchain.compress.palettize import Palettize
from toolchain.compress.whiten import Whiten
from toolchain.convert.binary import BinaryWeights
from toolchain.convert.clustered import Clustered
from toolchain.convert.fp16 import Fp16
from toolchain.convert.fp32 import Fp32
from toolchain.convert.int8 import Int8
from toolchain.convert.int8_dynamic import Int8Dynamic
from toolchain.recipe import FaceGate, Recipe
from toolchain.training.loop import Phase, TrainSettings

CODEBOOKS = TrainSettings((Phase(500, learning_rate=1e-3),), batch=16, optimizer="adamw", weight_decay=0)
# A step of a wide net takes a second or two: a stopped run should not lose many.
SIGNS = TrainSettings((Phase(1500, learning_rate=2e-3),), batch=64, optimizer="adamw", weight_decay=0, checkpoint_every=100)

RECIPE = Recipe(
    name="own",
    summary="Weights of your own, brought in by --weights",
    variants=(
        Fp32(),
        Fp16(),
        Int8Dynamic(),
        Int8(stages=(FoldBatchNorm(), Equalize(), Calibrate()), float_front=2),
        BinaryWeights(
            stages=(
                InsertBatchNorm(),
                Binarize(SIGNS, ramp=0.25),
                Whiten(),
                FoldBatchNorm(),
                Palettize(clusters=64, rate=0.002, fine_clusters=64, fine_rate=0.001),
            ),
            # One bit a weight costs a strong net of a million weights a sixth of its true accepts (82.3 % kept, measured).
            face_gate=FaceGate(keep_tar=0.5),
        ),
        Clustered(stages=(FoldBatchNorm(), Palettize(CODEBOOKS, rate=0.0145))),
    ),
    default_variant="int8",
)
