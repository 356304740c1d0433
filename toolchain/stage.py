"""Stage: one step from a model to a model; Context: what a stage may use beside the model."""

from __future__ import annotations

import dataclasses
import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import torch

from toolchain.errors import DataError
from toolchain.progress import Progress

if TYPE_CHECKING:
    from toolchain.data.faces import Faces
    from toolchain.model import Model


@dataclass(frozen=True)
class Context:
    """What a stage may use: data, device, seed, threads, places to keep things, and a way to show progress.

    `faces` are the faces to train on and `aside` those of identities kept aside to choose by (None: none were given).
    `work` is where the checkpoints of the stage at hand go, `cache` where what several stages use is kept by content
    (None: in `work` too).
    """

    work: Path
    cache: Path | None = None
    faces: Faces | None = None
    aside: Faces | None = None
    device: str = "cpu"
    seed: int = 0
    progress: Progress = field(default_factory=Progress)

    def generator(self, purpose: str) -> torch.Generator:
        """A generator seeded by this context's seed and the purpose: the same in every run, different for every use."""
        import hashlib

        digest = hashlib.sha256(f"{self.seed}/{purpose}".encode()).digest()
        return torch.Generator().manual_seed(int.from_bytes(digest[:7], "big"))

    @property
    def shared(self) -> Path:
        """The folder of what several stages use."""
        return self.work if self.cache is None else self.cache

    def training_faces(self, needed_by: str) -> Faces:
        if self.faces is None:
            raise DataError(f"{needed_by} needs face images and got none; give --images FOLDER or TAR of aligned faces")
        return self.faces


class Trait(Enum):
    """What a model may have that decides which stages still make sense. Its value completes "the model has …"."""

    BATCH_NORM = "batch norm behind its layers"
    """A conv or linear layer feeds a batch norm that FoldBatchNorm would fold."""
    UNNORMED = "layers without a batch norm of their own"
    """A stage put them there, beside layers that have one."""
    PRUNED = "pruned weights"
    """Weights that are exactly 0 and have to stay so."""
    ENCODED = "encoded weights"
    """What is stored of some weights is settled: to change them is to lose it."""
    RANGES = "recorded activation ranges"
    """Of this very net: whatever comes next would make them wrong."""


TRAINS_FREELY: Mapping[Trait, str] = {
    Trait.PRUNED: "it trains every weight, so the pruned ones would come back; train first",
    Trait.ENCODED: "it trains every weight, so no encoding would hold; train first",
}
"""What a stage refuses that trains all weights as floats."""


@dataclass(frozen=True)
class Stage(ABC):
    """A frozen set of settings, checked in `__post_init__`, and `transform`, which makes a new model; `apply` is what others call.

    The mathematics of a stage is a pure function in the same file that knows neither Model nor Context. What a stage asks of the
    model and does to it is declared by traits, so that a recipe whose order makes no sense is refused before anything is
    trained (toolchain/stage_order.py).
    """

    trains: ClassVar[bool] = False
    """True for a stage that needs images and minutes; the build keeps its result by content."""
    needs: ClassVar[Mapping[Trait, str]] = {}
    """Traits that the model must have, each with the reason or what to do."""
    refuses: ClassVar[Mapping[Trait, str]] = {}
    """Traits that the model must not have, each with the reason or what to do. RANGES are refused by every stage but one that
    records them."""
    gives: ClassVar[frozenset[Trait]] = frozenset()
    """Traits that the model has afterwards."""
    takes: ClassVar[frozenset[Trait]] = frozenset()
    """Traits that the model no longer has afterwards."""

    @property
    def needs_faces(self) -> bool:
        """False for a stage that trains only by some of its settings, and not by these."""
        return self.trains

    def prepared(self, model: Model) -> Model:
        """`model` with the layers that the result has, for a training stage that changes layers. What is kept of its result are the
        values, which go in here."""
        return model

    def apply(self, model: Model, context: Context) -> Model:
        """`transform` of a model that holds numbers. Error: ToolchainError where it does not: a sign would hide a NaN, clusters cannot
        hold it, and other stages would pass it on to whoever finds it last."""
        model.require_finite(type(self).__name__)
        return self.transform(model, context)

    @abstractmethod
    def transform(self, model: Model, context: Context) -> Model:
        """A new model; `model` stays as it was. The same model, settings, seed and data give the same bytes."""

    def reads(self) -> tuple[str, ...]:
        """The sha256 of each file that the settings name and that the result depends on: `describe` has their names alone. Error:
        DataError for a file that is missing."""
        return ()

    def describe(self) -> dict[str, Any]:
        """The stage's name and settings as JSON values: part of the manifest and of the key of its kept result."""
        return describe(self)


_ADDED = "added"


def added(default: Any) -> Any:
    """A field that a settings class got after results of it were kept: at its default it is left out of `describe`, so that those
    results, made when there was no such field, are still found."""
    return field(default=default, metadata={_ADDED: True})


def describe(settings: Any) -> dict[str, Any]:
    """A frozen settings object as JSON values: its class name under "type", its fields beside it."""
    fields = {}
    for item in dataclasses.fields(settings):
        value = getattr(settings, item.name)
        if not (_ADDED in item.metadata and value == item.default):
            fields[item.name] = _json(value)
    return {"type": type(settings).__name__, **fields}


def _json(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return describe(value)
    if isinstance(value, tuple | list):
        return [_json(item) for item in value]
    if isinstance(value, Path):
        return value.name
    json.dumps(value)
    return value
