"""The smallest useful face recogniser: one variant, two to four bits a weight, of the default model or of a net that is brought in.

`toolchain build tiny --target android-arm64` needs no images: what comes with the package is found. A net of a million weights takes
about an hour on one core: `toolchain build tiny --target android-arm64 --weights net.onnx --input rgb,0..255 --images faces/`.

Its embeddings are evened out first: those directions in which strangers differ little, and which so few bits lose before all others, then
count for as much as the rest in what the fine-tuning minimises. So they compare with each other, and not with those of the net as it came.
"""

from toolchain.compress.fold_batch_norm import FoldBatchNorm
from toolchain.compress.palettize_by_responses import PalettizeByResponses
from toolchain.compress.whiten import Whiten
from toolchain.convert.compressed import Compressed
from toolchain.recipe import FaceGate, Recipe
from toolchain.recipes.default import LIGHT
from toolchain.recipes.default import RECIPE as DEFAULT
from toolchain.training.loop import Phase, TrainSettings

CODEBOOKS = TrainSettings(
    (Phase(4000, learning_rate=1e-3),), batch=16, optimizer="adamw", weight_decay=0, augment=LIGHT, checkpoint_every=100
)

RECIPE = Recipe(
    name="tiny",
    summary="The default model, or your own, in two to four bits a weight",
    variants=(
        Compressed(
            name="tiny",
            # A net of 0.3 million weights gets 3.6 bits a weight by this rate; one of a million what comes to less than 300 KB with
            # scales, biases, slopes and the graph.
            stages=(Whiten(strength=0.9), FoldBatchNorm(), PalettizeByResponses(CODEBOOKS, rate=0.015, most_bytes=246_000)),
            # Two to four bits a weight cost a net something (95.6 % of the default's true accepts are kept, 96.5 % of a strong net's): the
            # gate is there to catch a fine-tuning that went wrong.
            face_gate=FaceGate(keep_tar=0.85),
        ),
    ),
    default_variant="tiny",
    backbone=DEFAULT.backbone,
    weights=DEFAULT.weights,
)
