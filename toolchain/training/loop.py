"""The one training loop: any net, any objective, on one process or several (`torchrun`), in mixed precision if asked.

What is drawn at a step (which faces, which augmentation) depends on the seed and the step's number alone, so a run that
was stopped goes on exactly where it was. Checkpoints are safetensors; metrics are JSON lines.
"""

from __future__ import annotations

import atexit
import ctypes
import functools
import json
import math
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt
import torch
from lightning_fabric import Fabric
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from runtime_py.bundle import InputContract
from toolchain import files
from toolchain.data.augment import Augment
from toolchain.data.faces import Faces
from toolchain.errors import DataError, RecipeError, ToolchainError
from toolchain.model import to_input
from toolchain.stage import Context
from toolchain.training.optimizers import MatrixMuon, is_matrix
from toolchain.training.shared_batch_norm import restore_batch_norm, share_batch_norm

Optimizer = Literal["muon", "adamw"]
Precision = Literal["32-true", "bf16-mixed", "16-mixed"]
Order = Callable[[np.random.Generator], npt.NDArray[np.int64]]
"""Gives the rows of the faces in the order in which an epoch takes them, each row once."""


@dataclass(frozen=True)
class Phase:
    """A stretch of training at one resolution, with its own warm-up and rate: a switch of resolution at a decayed rate
    loses what was learnt."""

    steps: int
    pixels: int = 112
    learning_rate: float = 3e-3
    warmup: float = 0.05
    """Share of the steps over which the rate rises from 0; then it falls by a cosine."""
    final: float = 0.02
    """The rate at the end, as a share of `learning_rate`."""

    def __post_init__(self) -> None:
        if self.steps < 1 or self.pixels < 32 or self.pixels % 8:
            raise RecipeError(f"Phase: expected steps >= 1 and pixels a multiple of 8 from 32, got {self.steps} and {self.pixels}")
        if not 0 < self.learning_rate < math.inf:
            raise RecipeError(f"Phase.learning_rate: expected more than 0, got {self.learning_rate}")
        for name in ("warmup", "final"):
            if not 0 <= getattr(self, name) <= 1:
                raise RecipeError(f"Phase.{name}: expected a share, 0 to 1, got {getattr(self, name)}")

    def rate(self, step: int) -> float:
        """The learning rate at `step` of this phase."""
        warm = max(1, round(self.steps * self.warmup))
        if step < warm:
            return self.learning_rate * (step + 1) / warm
        through = (step - warm) / max(1, self.steps - warm)
        return self.learning_rate * (self.final + (1 - self.final) * 0.5 * (1 + math.cos(math.pi * through)))


@dataclass(frozen=True)
class TrainSettings:
    """How to train. `batch` is that of all processes together; one optimiser step a batch."""

    phases: tuple[Phase, ...]
    batch: int = 64
    optimizer: Optimizer = "muon"
    weight_decay: float = 0.01
    precision: Precision = "32-true"
    augment: Augment = field(default_factory=Augment)
    clip_norm: float = 5.0
    checkpoint_every: int = 500
    validate_every: int = 1000

    def __post_init__(self) -> None:
        if not self.phases or self.batch < 2:
            raise RecipeError("TrainSettings: expected at least one phase and a batch of 2 or more")
        for name, known in (("optimizer", get_args(Optimizer)), ("precision", get_args(Precision))):
            if getattr(self, name) not in known:
                raise RecipeError(f"TrainSettings.{name}: expected one of {', '.join(known)}, got {getattr(self, name)}")
        if not 0 <= self.weight_decay < math.inf:
            raise RecipeError(f"TrainSettings.weight_decay: expected 0 or more, got {self.weight_decay}")
        if not self.clip_norm > 0:
            raise RecipeError(f"TrainSettings.clip_norm: expected more than 0, got {self.clip_norm}")
        for name in ("checkpoint_every", "validate_every"):
            if getattr(self, name) < 1:
                raise RecipeError(f"TrainSettings.{name}: expected 1 step or more, got {getattr(self, name)}")

    @property
    def steps(self) -> int:
        return sum(phase.steps for phase in self.phases)

    def at(self, step: int) -> tuple[Phase, int]:
        """(phase, step within it)."""
        for phase in self.phases:
            if step < phase.steps:
                return phase, step
            step -= phase.steps
        raise IndexError(step)


@dataclass
class Batch:
    """`images` float `[B, 3, H, W]` in the model's input range, augmented; `index` int64 `[B]` rows of the faces;
    `labels` int64 `[B]` identities; `step`: the step's number from 0, which with the seed says what was drawn. Not frozen:
    Fabric converts a batch to the precision of training field by field."""

    images: Tensor
    index: Tensor
    labels: Tensor
    step: int = 0


class _Task(nn.Module):
    """The net and its objective as one module, so that gradients of both are shared between processes."""

    def __init__(self, net: nn.Module, objective: nn.Module) -> None:
        super().__init__()
        self.net, self.objective = net, objective

    def forward(self, batch: Batch) -> Tensor:
        loss: Tensor = self.objective(self.net, batch)
        return loss


@contextmanager
def _without_denormals() -> Iterator[None]:
    """Denormal floats, which small gradients reach, slow a CPU down a hundredfold. They are back afterwards, also where training was
    stopped: what comes after it must not depend on whether there was any, since a kept result is found without it."""
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)


@_without_denormals()
def fit(
    net: nn.Module,
    objective: nn.Module,
    faces: Faces,
    contract: InputContract,
    settings: TrainSettings,
    context: Context,
    name: str,
    validate: Callable[[nn.Module], dict[str, float]] | None = None,
    order: Order | None = None,
) -> None:
    """Trains `net` in place by `objective(net, batch) -> scalar`, whose parameters are trained too. `order`: of the faces in an
    epoch; None: at random. Wherever it is trained, `net` is on the CPU afterwards, where the stages that follow compute.

    On several processes (`torchrun`) each takes its share of the very batch that one process would take, batch norm included, so
    that the loss falls alike, up to rounding; an objective must be a mean over the batch for that.

    Keeps `<work>/<name>.safetensors` (the last checkpoint; a run that finds one goes on from it) and `<work>/<name>.jsonl`
    (metrics). Errors: DataError where the faces are fewer than a batch, and for a checkpoint that is damaged, of another net, or cannot
    be written; ToolchainError where the loss or its gradient is no number, before anything is made of it.
    """
    if len(faces) < settings.batch:
        raise DataError(f"{name}: expected at least {settings.batch} faces (one batch), got {len(faces)}; give more, or a smaller batch")
    fabric = _fabric(settings, context)
    _keep_freed_memory()
    # Onto the device first: MatrixMuon's views and the shared norms' buffers are those of the storage that is trained.
    task = _Task(net, objective).to(fabric.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    norms = share_batch_norm(task) if fabric.world_size > 1 else {}
    optimizers = _optimizers(task, settings)
    module, *wrapped = fabric.setup(task, *optimizers)
    context.work.mkdir(parents=True, exist_ok=True)
    kept = context.work / f"{name}.safetensors"
    first = _restore(kept, task, optimizers) if kept.exists() else 0
    metrics = _Metrics(context, name, settings)
    labels = torch.from_numpy(faces.labels)
    arranged = order or (lambda random: random.permutation(len(faces)))
    module.train()
    for step in context.progress.track(range(first, settings.steps), name, total=settings.steps - first):
        phase, within = settings.at(step)
        for group in (group for optimizer in optimizers for group in optimizer.param_groups):
            group["lr"] = phase.rate(within)
        # What a net or an objective draws (dropout, mixup) depends on the step alone too.
        torch.manual_seed(hash_of(context.seed, step, fabric.global_rank, 1))
        saved = max(first, step // settings.checkpoint_every * settings.checkpoint_every)
        check = functools.partial(_check_finite, name=name, step=step + 1, saved=saved)
        batch = _draw(faces, labels, contract, settings, phase, context.seed, step, fabric, arranged)
        seen = _update(fabric, module, wrapped, batch, settings, check)
        if not fabric.is_global_zero:
            continue
        last = step + 1 == settings.steps
        due = validate is not None and ((step + 1) % settings.validate_every == 0 or last)
        metrics.add(step + 1, seen, phase, within, validate(net) if due and validate is not None else {})
        module.train()
        if (step + 1) % settings.checkpoint_every == 0 or last:
            _save(kept, task, optimizers, step + 1)
    fabric.barrier()
    restore_batch_norm(task, norms)
    net.cpu().eval()


def _update(
    fabric: Fabric,
    module: nn.Module,
    optimizers: Sequence[Any],
    batch: Batch,
    settings: TrainSettings,
    check: Callable[[str, float], None],
) -> float:
    """One step of the optimisers, of which the gradient is clipped; its loss. `check` is told loss and gradient before they are used."""
    loss = module(batch)
    # The mean over processes, so that all of them stop where one has come to no number.
    seen = float(torch.as_tensor(fabric.all_reduce(loss.detach(), reduce_op="mean")))
    check("loss", seen)
    fabric.backward(loss)
    norm = fabric.clip_gradients(module, optimizers[0], max_norm=settings.clip_norm, error_if_nonfinite=False)
    if settings.precision != "16-mixed" and norm is not None:  # there steps whose gradients overflow are left out
        check("gradient", float(norm))
    for optimizer in optimizers:
        optimizer.step()
        optimizer.zero_grad()
    return seen


class _Metrics:
    """The run's figures: a JSON line every 100 steps and at every validation, which is said aloud too."""

    def __init__(self, context: Context, name: str, settings: TrainSettings) -> None:
        self.context, self.name, self.settings = context, name, settings
        self.started, self.seen, self.loss = time.monotonic(), 0, math.nan

    def add(self, step: int, loss: float, phase: Phase, within: int, found: dict[str, float]) -> None:
        self.seen += self.settings.batch
        self.loss = loss if math.isnan(self.loss) else 0.98 * self.loss + 0.02 * loss
        if found:
            figures = ", ".join(f"{key} {value:.4f}" for key, value in found.items())
            self.context.progress.say(f"{self.name}: step {step} of {self.settings.steps}, loss {self.loss:.4f}, {figures}")
        if found or step % 100 == 0:
            speed = self.seen / (time.monotonic() - self.started)
            line = {"step": step, "loss": round(self.loss, 5), "rate": phase.rate(within), "pixels": phase.pixels}
            with (self.context.work / f"{self.name}.jsonl").open("a") as log:
                log.write(json.dumps({**line, "images_per_s": round(speed, 1), **found}) + "\n")


def _fabric(settings: TrainSettings, context: Context) -> Fabric:
    """Fabric for this process: one device, or one of those that `torchrun` started."""
    world, local = (int(os.environ.get(key, "1")) for key in ("WORLD_SIZE", "LOCAL_WORLD_SIZE"))
    if settings.batch % world:
        raise RecipeError(f"TrainSettings.batch: {settings.batch} cannot be shared evenly by {world} processes")
    device = torch.device(context.device)
    fabric = Fabric(
        accelerator=device.type,
        devices=local if device.index is None else [device.index],
        num_nodes=max(1, world // local),
        strategy="ddp" if world > 1 else "auto",
        precision=settings.precision,
    )
    fabric.launch()
    if world > 1:
        # A process that ends with its group open is aborted by the group's own threads.
        atexit.register(_leave_group)
    return fabric


def _leave_group() -> None:
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def _keep_freed_memory() -> None:
    """Tells glibc's malloc to keep what is freed: giving every activation back to the system and getting it again page by page
    took a third of a step's time. Does nothing on another C library."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        trim_threshold, most_mapped = -1, -4  # M_TRIM_THRESHOLD, M_MMAP_MAX of malloc.h
        # No block is mapped by itself, since what is mapped is always given back; a batch's maps are above any threshold for it.
        mallopt(most_mapped, 0)
        mallopt(trim_threshold, 2**31 - 1)


def _optimizers(task: nn.Module, settings: TrainSettings) -> list[torch.optim.Optimizer]:
    rate = settings.phases[0].learning_rate
    named = [(name, p) for name, p in task.named_parameters() if p.requires_grad]
    matrices = [p for name, p in named if settings.optimizer == "muon" and name.startswith("net.") and is_matrix(p)]
    chosen = {id(p) for p in matrices}
    rest = [p for _, p in named if id(p) not in chosen]
    decayed = [p for p in rest if p.ndim > 1]
    plain = [p for p in rest if p.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": settings.weight_decay}, {"params": plain, "weight_decay": 0.0}]
    optimizers: list[torch.optim.Optimizer] = [torch.optim.AdamW([g for g in groups if g["params"]], lr=rate)]
    if matrices:
        optimizers.append(MatrixMuon(matrices, lr=rate, weight_decay=settings.weight_decay))
    return optimizers


def _draw(
    faces: Faces,
    labels: Tensor,
    contract: InputContract,
    settings: TrainSettings,
    phase: Phase,
    seed: int,
    step: int,
    fabric: Fabric,
    arranged: Order,
) -> Batch:
    """This process's share of the batch of a step: a slice of the epoch's order, so that every face is seen once an epoch."""
    epoch, position = divmod(step, len(faces) // settings.batch)
    order = arranged(np.random.default_rng((seed, epoch)))
    rows = np.sort(order[position * settings.batch : (position + 1) * settings.batch])
    pixels = torch.from_numpy(np.ascontiguousarray(faces.images[rows])).to(fabric.device)
    # The whole batch is augmented by every process, which costs little, so that its share is what one process would have made of it.
    generator = torch.Generator().manual_seed(hash_of(seed, step, 0))
    augmented = settings.augment(pixels.permute(0, 3, 1, 2).float(), phase.pixels, generator)
    share = settings.batch // fabric.world_size
    mine = slice(fabric.global_rank * share, (fabric.global_rank + 1) * share)
    images = to_input(augmented[mine], contract).contiguous(memory_format=torch.channels_last)
    index = torch.from_numpy(rows[mine])
    return Batch(images, index.to(fabric.device), labels[index].to(fabric.device), step)


def _check_finite(what: str, value: float, name: str, step: int, saved: int) -> None:
    if not math.isfinite(value):
        kept = f"the checkpoint of step {saved} is kept" if saved else "there is no checkpoint yet"
        raise ToolchainError(f"{name}: the {what} is {value} at step {step}; lower the learning rate; {kept}")


def hash_of(*numbers: int) -> int:
    """A 63-bit seed from numbers >= 0, the same everywhere."""
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0]) >> 1


def _save(path: Path, task: nn.Module, optimizers: list[torch.optim.Optimizer], step: int) -> None:
    tensors = {f"task.{name}": value for name, value in task.state_dict().items()}
    for number, optimizer in enumerate(optimizers):
        for index, state in optimizer.state_dict()["state"].items():
            for key, value in state.items():
                tensors[f"optimizer.{number}.{index}.{key}"] = torch.as_tensor(value)
    with files.partial(path) as temporary:
        try:
            save_file({name: value.detach().cpu().contiguous() for name, value in tensors.items()}, temporary, metadata={"step": str(step)})
        except SafetensorError as error:
            raise DataError(f"{path}: cannot be written ({error}); make room, or give another --cache folder") from None


def _restore(path: Path, task: nn.Module, optimizers: list[torch.optim.Optimizer]) -> int:
    try:
        with safe_open(path, "pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}
            step = int(file.metadata()["step"])
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise DataError(f"{path}: expected a checkpoint, got a damaged file ({error}); delete it") from None
    try:
        task.load_state_dict({name[5:]: value for name, value in tensors.items() if name.startswith("task.")})
    except RuntimeError:
        raise DataError(f"{path}: a checkpoint of another net or objective; delete it, or give another --cache folder") from None
    for number, optimizer in enumerate(optimizers):
        state: dict[int, dict[str, Tensor]] = {}
        for name, value in tensors.items():
            if name.startswith(f"optimizer.{number}."):
                index, key = name.split(".")[2:]
                state.setdefault(int(index), {})[key] = value
        optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
    return step
