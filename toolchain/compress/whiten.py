"""Whiten: embeddings that use all their directions more evenly, by one linear map in the last layer.

A distilled student regresses to the mean: it gives strong directions more than their due, and all its embeddings a share of one
direction, so that strangers look alike. With the mean m and the covariance C of embeddings y of many faces,

    y' = (y - m) (C + λ I)^(-s/2)

takes the shared direction away and evens the others out: wholly at s = 1 (whitening), not at all at s = 0. Centring and partly whitening
a learnt representation is what Arora, Liang and Ma (ICLR 2017, "A Simple but Tough-to-Beat Baseline", removing the common component) and
Jégou and Chum (ECCV 2012, "Negative evidences and co-occurences in image retrieval: the benefit of PCA and whitening") found to
help comparing by the cosine. Needs faces without labels; costs nothing at run time.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from toolchain.compress.layers import weighted_layers
from toolchain.compress.refit import last_map, read_by_last, with_last
from toolchain.errors import RecipeError, ToolchainError
from toolchain.model import Model
from toolchain.stage import Context, Stage, Trait

PENALTY = 0.2


def whitening(embeddings: Tensor, strength: float, penalty: float = PENALTY) -> tuple[Tensor, Tensor]:
    """(m `[D]`, symmetric M `[D, D]`), float64, such that (`embeddings` - m) M are the evened ones; λ is `penalty` times the mean variance.

    Error: ToolchainError where `embeddings` `[N, D]` do not vary, or are not finite.
    """
    y = embeddings.double()
    mean = y.mean(0)
    covariance = (y - mean).T @ (y - mean) / len(y)
    spread = float(covariance.diagonal().mean())
    if not 0 < spread < torch.inf:
        raise ToolchainError("Whiten: embeddings do not vary; the training collapsed, lower the learning rate")
    energies, directions = torch.linalg.eigh(covariance)
    # Of mean 1 before the power, so that the embeddings keep about the length that they have.
    gains = (energies.clamp_min(0) / spread + penalty).pow(-strength / 2)
    return mean, (directions * gains) @ directions.T


@dataclass(frozen=True)
class Whiten(Stage):
    """Centres the embeddings and partly whitens them, in the last layer, in closed form. Comes before whatever encodes the layer."""

    trains: ClassVar[bool] = True
    refuses: ClassVar[Mapping[Trait, str]] = {Trait.PRUNED: "it mixes the last layer's filters, so the pruned weights would come back"}

    strength: float = 0.75
    """s: 0 centres alone, 1 whitens wholly, which makes what is noise as loud as what tells people apart."""
    penalty: float = PENALTY
    """λ as a share of the mean variance: directions that hardly vary are raised no further."""
    faces: int = 8192
    """How many training faces the mean and the covariance are taken of, evenly spread over them."""

    def __post_init__(self) -> None:
        if not 0 <= self.strength <= 1 or not 0 < self.penalty < math.inf or self.faces < 2:
            got = f"{self.strength}, {self.penalty} and {self.faces}"
            raise RecipeError(f"Whiten: expected strength in 0..1, penalty > 0 and faces >= 2, got {got}")

    def transform(self, model: Model, context: Context) -> Model:
        faces = context.training_faces("Whiten")
        last = weighted_layers(model.net)[-1].weight
        if last in model.encodings:
            raise ToolchainError(f"Whiten: {last} is encoded, and would be changed; put Whiten() before what encodes the last layer")
        features, embeddings = read_by_last(model, faces, self.faces)
        mean, even = whitening(embeddings, self.strength, self.penalty)
        weight, bias = (item.double() for item in last_map(model.net, features.shape[1:]))
        return with_last(model, (even @ weight).float(), (even @ (bias - mean)).float(), features, faces)
