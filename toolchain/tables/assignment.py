"""The assignment of a lecture on model compression (Xiaobo Wang, Institute of Automation, Chinese Academy of Sciences): MobileFaceNet from
scratch, half of its width from scratch, and half of its width distilled, by probabilities and by features."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import torch

from toolchain.costs import count_backbone
from toolchain.distill import Distill, TrainedTeacher
from toolchain.errors import RecipeError
from toolchain.kept import Kept
from toolchain.losses import Train
from toolchain.machine import machine
from toolchain.model import Model
from toolchain.recipe import Recipe
from toolchain.recipes import find_recipe
from toolchain.stage import Context
from toolchain.tables.base import VERIFIED, Figures, TableOrder
from toolchain.tables.embedders import columns, contexts, from_scratch, judges_note, schedule
from toolchain.training.loop import TrainSettings

SUMMARY = "MobileFaceNet and its half from scratch and distilled (PC, FC, CC, EC): accuracy; trains 6 nets on --images."
TAKES = VERIFIED

STEPS = 500
_ROWS = (
    ("MobileFaceNet, from scratch", "mobilefacenet_full"),
    ("half width, from scratch", "mobilefacenet"),
    ("half width, probability consistency (PC)", "mobilefacenet_pc"),
    ("half width, feature consistency (FC)", "mobilefacenet_fc"),
    ("half width, correlation congruence (CC)", "mobilefacenet_cc"),
    ("half width, exclusivity and consistency (EC)", "mobilefacenet_ec"),
)


def figures(order: TableOrder) -> Figures:
    """Trains every recipe with each seed for the same number of steps on the same faces."""
    started = time.monotonic()
    context, judges = contexts(order)
    how = schedule(order, STEPS)
    rows, values = [], []
    for name, recipe in _ROWS:
        found = find_recipe(recipe)
        judged = [judges.judge(_trained(found, how, replace(context, seed=seed), order)) for seed in range(order.seeds)]
        assert found.backbone is not None  # each of these recipes trains one
        costs = count_backbone(found.backbone)
        shown = columns(judged)
        rows.append((name, recipe, f"{costs.fp32_bytes / 1e6:.2f}", f"{costs.multiply_adds / 1e6:.0f}", *shown))
        value: dict[str, Any] = {"net": name, "recipe": recipe, "fp32_bytes": costs.fp32_bytes, "multiply_adds": costs.multiply_adds}
        values.append({**value, "seeds": [item.describe() for item in judged]})
        order.progress.say(f"{name}: LFW {shown[0]} %, rank-1 {shown[1]} %")
    facts = machine()
    notes = (
        f"`{order.command('assignment', STEPS)}`. {judges_note(judges, context)}",
        f"Every net: {how.steps} steps of {how.batch} faces at {how.phases[0].pixels} pixels, ArcFace where there are labels. PC learns "
        "from labels and teacher, FC, CC and EC from the teacher alone: the first row's net of the same seed, its embeddings of each face "
        "and its mirror image computed once.",
        f"± is the standard deviation over {order.seeds} seeds." if order.seeds > 1 else "One seed.",
        "The lecture states no figures. So few steps show the order of the methods at this schedule and no more.",
        f"{(time.monotonic() - started) / 60:.0f} minutes for what had not been kept, on {facts['cores']} cores of {facts['processor']}.",
    )
    heads = ("net", "recipe", "MB fp32", "M multiply-adds", "LFW %", "rank-1 %", "NearestOne %")
    return Figures("The assignment", heads, tuple(rows), tuple(values), notes)


def _trained(recipe: Recipe, how: TrainSettings, context: Context, order: TableOrder) -> Model:
    """The recipe's net after its one training stage, by the settings `how`; kept by content."""
    assert recipe.backbone is not None
    (stage,) = recipe.train
    if isinstance(stage, Train):
        # As a teacher is, so that the net that is one is trained once.
        return from_scratch(recipe.backbone, replace(stage, settings=how), context)
    if not isinstance(stage, Distill):
        raise RecipeError(f"{recipe.name}: expected one stage of training or distillation, got {type(stage).__name__}")
    with torch.random.fork_rng():
        torch.manual_seed(context.seed)
        model = Model(recipe.backbone.build().eval(), recipe.backbone.input)
    teachers = tuple(
        replace(teacher, by=replace(teacher.by, settings=how)) for teacher in stage.teachers if isinstance(teacher, TrainedTeacher)
    )
    return Kept(order.cache / "stages").apply(replace(stage, settings=how, teachers=teachers), model, context)
