"""What a build measures of its own variants on faces kept aside: face terms and thresholds, and how levels match each other."""

from __future__ import annotations

from collections.abc import Sequence

from runtime_py.embedder import Embedder
from runtime_py.manifest import CrossLevel
from toolchain.bundling import assemble
from toolchain.bundling.variants import Made, Workshop
from toolchain.convert.fp32 import Fp32
from toolchain.errors import DataError
from toolchain.evaluation.accuracies import Accuracies, Measured, merged
from toolchain.evaluation.cross_level import match_levels
from toolchain.evaluation.evaluate import Floats, of_embedder
from toolchain.evaluation.measure import Measurement
from toolchain.model import Model


def measure_made(made: Sequence[Made], model: Model, workshop: Workshop, known: Accuracies) -> tuple[Accuracies, tuple[str, ...]]:
    """(figures, what was not measured and why) of a build's variants: what is `known` of the same bytes, and of the others what
    the faces kept aside give. `model` is what the variants were made from: its fp32 form is the reference, built or not."""
    lacking = [item for item in made if not known.get(item.sha256, Measured()).face_terms]
    names = ", ".join(item.variant.name for item in lacking)
    aside, progress = workshop.context.aside, workshop.context.progress
    if not lacking:
        return known, ()
    if aside is None:
        advice = "give --images with identities kept aside, or figures of the same bytes by --accuracies"
        return known, (f"{names}: not measured in face terms: no record of these bytes and no faces at hand; {advice}",)
    try:
        measurement = Measurement(aside)
    except DataError as error:
        return known, (f"{names}: not measured in face terms on the identities kept aside: {error}",)
    fp32 = next((item for item in made if isinstance(item.variant, Fp32)), None)
    if fp32 is None:
        tflite = workshop.convert(Fp32(), model)
        fp32 = Made(Fp32(), model, tflite, tflite, ())

    def embed(item: Made) -> Floats:
        embedder = Embedder(assemble.variant(item, {}), item.model.input, item.tflite)
        return of_embedder(embedder, aside, measurement.data_sha256, progress, workshop.files)

    reference = measurement.reference(embed(fp32))
    found = {}
    for item in lacking:
        progress.say(f"{item.variant.name}: face terms and thresholds")
        found[item.sha256] = measurement.measure(embed(item), reference)
    return merged(known, found), ()


def match_made(made: Sequence[Made], workshop: Workshop) -> dict[str, tuple[CrossLevel, ...]]:
    """The levels among a build's variants on the faces kept aside, by the name of the whole net's variant; empty where there are no levels,
    or no faces to measure on."""
    sets, aside = assemble.level_sets([item.variant for item in made], {}), workshop.context.aside
    if not sets or aside is None:
        return {}
    try:
        measurement = Measurement(aside)
    except DataError:
        return {}  # the build says why, of the variants themselves
    progress, names = workshop.context.progress, {level.variant for found in sets for level in found.levels}
    progress.say("levels: how they match each other")
    embedded = {}
    for item in made:
        if item.variant.name in names:
            embedder = Embedder(assemble.variant(item, {}), item.model.input, item.tflite)
            embedded[item.variant.name] = of_embedder(embedder, aside, measurement.data_sha256, progress, workshop.files)
    return {found.whole: match_levels(found, embedded, measurement) for found in sets}
