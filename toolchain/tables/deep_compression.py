"""Deep Compression stage by stage (Han, Mao, Dally, ICLR 2016, tables 1 and 5: pruned 9× to 13×, all 35× to 49× on AlexNet and VGG-16), on
VGG11 and on SqueezeNet (Iandola et al., arXiv:1602.07360, table 2: 10× by a third of the weights at 6 bits)."""

from __future__ import annotations

import copy
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from toolchain.backbones import VGG11, SqueezeNet
from toolchain.backbones.pooled import PooledBackbone
from toolchain.compress.fold_batch_norm import FoldBatchNorm
from toolchain.compress.huffman import deep_compression_bits
from toolchain.compress.prune import Prune
from toolchain.compress.share import Share
from toolchain.convert.compressed import Compressed
from toolchain.convert.route import Onnx2Tf
from toolchain.convert.tie import tie
from toolchain.data import identification
from toolchain.kept import Kept, KeptBytes, key_of
from toolchain.model import Model
from toolchain.pack.packed import pack
from toolchain.stage import Context
from toolchain.tables.base import TRAINS, Figures, TableOrder
from toolchain.tables.classification import FEATURE_LENGTH, People, settings, spread, time_taken, top1, train, what_ran
from toolchain.tables.quantized import Scores, with_classifier
from toolchain.training.loop import TrainSettings

SUMMARY = "Deep Compression on VGG11 and SqueezeNet: pruned, shared, Huffman-coded, packed; trains 2 nets on --images and retrains both."
TAKES = TRAINS

STEPS = 2000
TARGET = 35
"""The least ratio that the paper reports of the whole chain, on AlexNet."""
_GAP_BITS = {4: 8, 2: 5}
"""Bits of a distance between kept weights, by the rank of the weight: 8 for convolutions, 5 for fully connected layers."""


@dataclass(frozen=True)
class Chain:
    """A net, what is left of its weights, how many values they share, and the authors' ratios after each step; "–" where none is known."""

    name: str
    net: PooledBackbone
    density: float
    clusters: int
    pruned: str
    shared: str
    coded: str


_CHAINS = (
    Chain("VGG11-BN", VGG11(), 0.08, 32, "9–13×", "27–31×", "35–49×"),
    Chain("SqueezeNet", SqueezeNet(), 0.33, 64, "–", "–", "10×"),
)


@dataclass(frozen=True)
class Storage:
    """Bytes of a model as the paper stores it, in all: after pruning (float32 values and their distances), with shared values (an index
    in place of the float32), and with both Huffman-coded. `left`: the share of the weights that is not 0."""

    left: float
    pruned: float
    shared: float
    coded: float


def storage(model: Model) -> Storage:
    """Counts a model whose weights are shared, most of them 0. What is not encoded counts 4 bytes a value, or 2 once weights are shared:
    values that fp16 holds."""
    rest = sum(value.numel() for name, value in model.net.named_parameters() if name not in model.encodings)
    total = left = 0
    pruned, shared, coded = 32.0 * rest, 16.0 * rest, 16.0 * rest
    for encoding in model.encodings.values():
        weight = encoding.decode().numpy()
        bits = deep_compression_bits(weight, _GAP_BITS[weight.ndim])
        total, left = total + weight.size, left + int(np.count_nonzero(weight))
        pruned, shared, coded = pruned + bits.pruned, shared + bits.shared, coded + bits.huffman
    return Storage(left / total, pruned / 8, shared / 8, coded / 8)


def figures(order: TableOrder) -> Figures:
    """Trains either net once and takes it through the chain, its classifier too; every step is kept."""
    started = time.monotonic()
    people = People.read(order.images, order.cache, order.progress)
    pixels, steps = (112 if order.full else 64), order.steps or STEPS
    rows: list[tuple[str, ...]] = []
    values: list[dict[str, Any]] = []
    for chain in _CHAINS:
        for row, value in steps_of(chain, people, settings(steps, pixels), order):
            rows.append(row)
            values.append(value)
            order.progress.say(f"{chain.name}, {row[1]}: {row[3]}, top-1 {row[5]} %")
    columns = ("net", "after", "KB", "ratio", "authors'", "top-1 %")
    return Figures("Deep Compression", columns, tuple(rows), tuple(values), _notes(order, people, steps, values, started))


def steps_of(chain: Chain, people: People, how: TrainSettings, order: TableOrder) -> Iterator[tuple[tuple[str, ...], dict[str, Any]]]:
    """A row and its values after each step."""
    context = Context(order.cache / "work", order.cache / "shared", people.training, progress=order.progress)
    kept = Kept(order.cache / "stages")
    whole = _plain(with_classifier(train(chain.net, people, how, 0, None, Context(order.cache, progress=order.progress))))
    pruned = kept.apply(Prune(_retraining(how, 2), chain.density), whole, context)
    folded = FoldBatchNorm().apply(pruned, context)
    shared = kept.apply(Share(_retraining(how, 6), chain.clusters, fine_clusters=256), folded, context)
    took, plain = storage(shared), 4.0 * sum(value.numel() for value in whole.net.parameters())
    before, after, last = (top1(model.net.eval(), model.input, people) for model in (whole, pruned, shared))
    steps: tuple[tuple[str, float, str, identification.Share], ...] = (
        ("training, float32", plain, "1×", before),
        (f"pruning, {100 * took.left:.1f} % left", took.pruned, "–", after),
        (f"pruning, weights alone ({100 * took.left:.1f} % left)", plain * took.left, chain.pruned, after),
        ("sharing", took.shared, chain.shared, last),
        ("Huffman coding", took.coded, chain.coded, last),
        ("in our packed form, whole file", float(_packed_bytes(shared, order)), "–", last),
    )
    for name, size, authors, accuracy in steps:
        ratio = plain / size
        row = (chain.name, name, f"{size / 1000:,.0f}", f"{ratio:.1f}×", authors, spread([accuracy]))
        yield row, {"net": chain.name, "after": name, "bytes": round(size), "ratio": round(ratio, 3), "top1": accuracy.value}


class _UnitScores(Scores):
    """The same scores from features of length 1."""

    def forward(self, images: Tensor) -> Tensor:
        scores: Tensor = self.head(functional.normalize(self.net(images)))
        return scores


def _plain(model: Model) -> Model:
    """`model` with the length of its features, a power of two, in the classifier's weights, where the converter puts it too: what is
    encoded must be what runs."""
    assert isinstance(model.net, Scores)
    head = copy.deepcopy(model.net.head)
    with torch.no_grad():
        head.weight *= FEATURE_LENGTH
    return Model(_UnitScores(model.net.net, head).eval(), model.input)


def _retraining(how: TrainSettings, shorter: int) -> TrainSettings:
    """As the net was trained, for a share of the steps and without decay, which would take from the weights that stay."""
    (phase,) = how.phases
    return replace(how, phases=(replace(phase, steps=max(1, phase.steps // shorter)),), weight_decay=0.0)


def _packed_bytes(model: Model, order: TableOrder) -> int:
    """What a bundle would store: the .tflite with its weights cut out, codebooks, coded indices."""
    converter = Onnx2Tf(order.cache / "tflite")

    def packed() -> bytes:
        tflite = Compressed().convert(model, converter, Context(order.cache / "work", progress=order.progress))
        return str(len(pack(tflite, tie(model, tflite)))).encode()

    return int(KeptBytes(order.cache / "bytes").get(key_of(made="deep compression", model=model.fingerprint()), packed))


def _notes(order: TableOrder, people: People, steps: int, values: list[dict[str, Any]], started: float) -> tuple[str, ...]:
    found = next(item["ratio"] for item in values if item["after"] == "Huffman coding")
    verdict = "reached" if found >= TARGET else f"missed by {TARGET - found:.1f}×"
    kept = "; ".join(f"{item.name} {100 * item.density:g} % and {item.clusters} values" for item in _CHAINS)
    return (
        what_ran("deep-compression", order, people, steps),
        f"{steps} steps of 32 faces at {112 if order.full else 64} pixels as in the layer substitution; then pruned in 3 rounds with "
        f"{max(1, steps // 2)} steps of retraining, and the shared values trained for {max(1, steps // 6)}, both by self-distillation on "
        f"the class scores. The classifier is compressed too. Kept: {kept}; of the first layer 60 % and 256 values.",
        "Ratios are to 4 bytes a parameter. Counted as the paper stores it: distances between weights of 8 bits in convolutions and 5 in "
        "the classifier with padding, values of 32 bits and then indices, codebooks; batch norm folded, biases in 16 bits. Its pruning "
        "figure counts weights alone. Huffman coding is counted with its tables and loses nothing.",
        f"The least ratio of the paper, {TARGET}× (AlexNet), is {verdict} on VGG11-BN. The authors' figures are on ImageNet.",
        time_taken(started),
    )
