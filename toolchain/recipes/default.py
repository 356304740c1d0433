"""The default model: a half-width MobileFaceNet for phones, distilled from two strong embedders without any labels.

`toolchain train default --images faces-celeba.tar faces-fiw.tar faces-unlabelled-0.tar.xz faces-unlabelled-1.tar.xz` makes the
weights anew (POCKETFACE_DATA names the folder that holds `weights/` with the teachers); its result comes with the package.
"""

from pathlib import Path

import toolchain
from runtime_py.manifest import InputContract
from toolchain.backbones import MobileFaceNet
from toolchain.compress.binarize import Binarize
from toolchain.compress.calibrate import Calibrate
from toolchain.compress.equalize import Equalize
from toolchain.compress.fold_batch_norm import FoldBatchNorm
from toolchain.compress.palettize import Palettize
from toolchain.compress.whiten import Whiten
from toolchain.convert.binary import BinaryWeights
from toolchain.convert.clustered import Clustered
from toolchain.convert.fp16 import Fp16
from toolchain.convert.fp32 import Fp32
from toolchain.convert.int8 import Int8
from toolchain.convert.int8_dynamic import Int8Dynamic
from toolchain.data.augment import Augment
from toolchain.distill import Distill, Inherit, Teacher
from toolchain.keep_float import Budget
from toolchain.recipe import FaceGate, Recipe
from toolchain.training.loop import Phase, TrainSettings

RAW_PIXELS = InputContract.parse("rgb,0..255")
Y1 = Teacher(Path("weights/teacher_y1.onnx"), RAW_PIXELS)
OMZ0095 = Teacher(Path("weights/teacher_omz0095.onnx"), RAW_PIXELS)

LIGHT = Augment(rotation_degrees=5, scale=0.06, shift=0.03, brightness=0.1, contrast=0.15, saturation=0.2, low_resolution=0.1, erase=0)
CONSTANT_THEN_FALLING = TrainSettings(
    phases=(
        # As it was run, in two parts: a constant rate can be stopped at any time for the phase in which it falls.
        Phase(3500, learning_rate=2e-3, warmup=300 / 3500, final=1.0),
        Phase(2500, learning_rate=2e-3, warmup=0.0004, final=0.01),
        Phase(1600, learning_rate=2e-3, warmup=300 / 1600, final=1.0),
        Phase(5400, learning_rate=2e-3, warmup=0.0005, final=0.01),
    ),
    batch=64,
    augment=LIGHT,
)
CODEBOOKS = TrainSettings((Phase(1400, learning_rate=1e-3),), batch=16, optimizer="adamw", weight_decay=0, augment=LIGHT)
SIGNS = TrainSettings((Phase(3000, learning_rate=2e-3),), batch=64, optimizer="adamw", weight_decay=0, augment=LIGHT)

RECIPE = Recipe(
    name="default",
    summary="Half-width MobileFaceNet, 256-d, distilled from two embedders",
    variants=(
        Fp32(),
        Fp16(),
        Int8Dynamic(),
        Int8(stages=(FoldBatchNorm(), Equalize(), Calibrate()), float_front=2),
        BinaryWeights(
            stages=(
                # Of the layers in signs, those that suffer most for their size: 8 of 31, 12 % of their weights.
                Binarize(SIGNS, ramp=0.2, keep_float=Budget(bytes=100_000)),
                Whiten(),
                FoldBatchNorm(),
                # The rest: first, last and depthwise layers, and what was kept from signs, on the int8 grid.
                Palettize(CODEBOOKS, clusters=64, rate=0.002, fine_clusters=255, fine_rate=0.0005),
            ),
            # A net of 0.32 million weights bears one bit a weight less well than a wide one: 78 % was measured.
            face_gate=FaceGate(keep_tar=0.65),
        ),
        # A net this small bears fewer clusters than a wide one: twice as many, and a cheaper bit, for 30 KB more.
        Clustered(stages=(FoldBatchNorm(), Palettize(CODEBOOKS, clusters=64, rate=0.005))),
    ),
    default_variant="int8",
    # PReLU, since the wide teacher that the net starts from has it: its slopes are far from 0, of both signs, so ReLU in its
    # place would keep much less of what is inherited.
    backbone=MobileFaceNet(embedding_size=256, width=0.5, activation="prelu"),
    weights=Path(toolchain.__file__).parent / "weights" / "default.safetensors",
    train=(Inherit(Y1, (Y1, OMZ0095)), Distill((Y1, OMZ0095), CONSTANT_THEN_FALLING), Whiten()),
)
