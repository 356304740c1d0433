from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from tests.toolchain import tiny_nets
from toolchain.convert import flatbuffer
from toolchain.convert.binary import BinaryWeights
from toolchain.convert.clustered import Clustered
from toolchain.convert.fp16 import Fp16
from toolchain.convert.fp32 import Fp32
from toolchain.convert.int8 import Int8
from toolchain.convert.int8_dynamic import Int8Dynamic
from toolchain.convert.quantizer import weighted
from toolchain.errors import ConversionError, RecipeError
from toolchain.keep_float import Worst
from toolchain.kept import KeptBytes
from toolchain.model import Model
from toolchain.parity import host
from toolchain.parity.host import reference_embeddings
from toolchain.parity.sensitivity import int8_damages
from toolchain.recipe import Variant
from toolchain.sensitivity.sensitivity import Gauge, rule_faces

VARIANTS: list[tuple[Variant, Callable[[], Model]]] = [
    (Fp32(), tiny_nets.folded),
    (Fp16(), tiny_nets.folded),
    (Int8Dynamic(), tiny_nets.folded),
    (Int8(), tiny_nets.calibrated),
    (BinaryWeights(), tiny_nets.encoded),
    (Clustered(), tiny_nets.encoded),
]
each_variant = pytest.mark.parametrize(("variant", "model"), VARIANTS, ids=[variant.name for variant, _ in VARIANTS])


def convert(variant: Variant, model: Model) -> bytes:
    return variant.convert(model, tiny_nets.converter(), tiny_nets.context(tiny_nets.session_folder()))


def int8_weights(tflite: bytes) -> int:
    """How many tensors of rank 2 and more are stored in int8."""
    model = flatbuffer.read(tflite)
    constants = [item for item in model.subgraphs[0].tensors if flatbuffer.is_constant(model, item)]
    return sum(flatbuffer.constant(model, item).dtype == np.int8 and len(item.shape) > 1 for item in constants)


@each_variant
def test_it_passes_its_gate_on_every_runtime(variant: Variant, model: Callable[[], Model]) -> None:
    results = host.compare(model(), convert(variant, model()), tiny_nets.images(host.LEAST_FACES, seed=5))
    assert not [why for item in results if isinstance(item, host.Parity) and (why := host.missed(item, variant.gate))]
    assert results[0].runtime == "ai-edge-litert" and isinstance(results[0], host.Parity)


@each_variant
def test_xnnpack_runs_it_whole_and_the_c_api_can_read_it(variant: Variant, model: Callable[[], Model]) -> None:
    host.check_runs_everywhere(variant.name, convert(variant, model()))


@each_variant
def test_the_same_model_gives_the_same_bytes(variant: Variant, model: Callable[[], Model]) -> None:
    assert convert(variant, model()) == convert(variant, model())


@each_variant
def test_it_takes_and_gives_float32(variant: Variant, model: Callable[[], Model]) -> None:
    interpreter = host.LITERT.interpreter(convert(variant, model()))
    for details, shape in ((interpreter.get_input_details(), [1, 16, 16, 3]), (interpreter.get_output_details(), [1, 10])):
        assert details[0]["dtype"] is np.float32 and details[0]["shape"].tolist() == shape


def test_each_stores_what_its_name_says() -> None:
    sizes = {variant.name: int8_weights(convert(variant, model())) for variant, model in VARIANTS}
    # stem, depthwise, project, shrink, linear; dynamic range leaves the depthwise one, the grids leave the stem
    assert sizes == {"fp32": 0, "fp16": 0, "int8-dynamic": 4, "int8": 5, "binary": 4, "clustered": 4}


def test_int8_keeps_the_front_and_named_layers_float() -> None:
    model = tiny_nets.calibrated()
    layers = list(weighted(tiny_nets.converter().float32(model)))
    assert len(layers) == 5 and layers[-1] == "embedding"
    assert int8_weights(convert(Int8(float_front=2), model)) == 3
    assert int8_weights(convert(Int8(keep_float=(layers[2], "embedding")), model)) == 3


def test_int8_without_ranges_or_with_one_that_is_not_finite_is_refused() -> None:
    model = tiny_nets.calibrated()
    with pytest.raises(ConversionError, match="no activation ranges; add Calibrate"):
        convert(Int8(), tiny_nets.folded())
    with pytest.raises(ConversionError, match=r"^input: expected a finite range"):
        convert(Int8(), replace(model, ranges={**model.ranges, "input": (0.0, float("nan"))}))
    with pytest.raises(ConversionError, match=r"^input: expected a finite range of activations, got none"):
        convert(Int8(), replace(model, ranges={name: bounds for name, bounds in model.ranges.items() if name != "input"}))


def test_int8_refuses_a_layer_that_is_not_there() -> None:
    with pytest.raises(ConversionError, match="keep_float: no operation makes nowhere"):
        convert(Int8(keep_float=("nowhere",)), tiny_nets.calibrated())


def test_grids_need_their_encodings() -> None:
    with pytest.raises(ConversionError, match="binary: expected Binary encodings"):
        convert(BinaryWeights(), tiny_nets.folded())
    with pytest.raises(ConversionError, match="clustered: expected Palette encodings"):
        convert(Clustered(), tiny_nets.folded())


def test_int8_keeps_those_layers_float_that_suffer_most_alone() -> None:
    model, context = tiny_nets.calibrated(), tiny_nets.context(tiny_nets.session_folder())
    tflite = tiny_nets.converter().float32(model)
    images, layers = rule_faces(model, context), tuple(weighted(tflite))
    gauge, kept = Gauge(reference_embeddings(model, images).astype("float32")), KeptBytes(context.shared / "int8 layers")
    found = int8_damages(model, tflite, layers, images, gauge, kept, lambda names: names)
    assert {item.layer for item in found} == set(layers)
    assert [item.error for item in found] == sorted((item.error for item in found), reverse=True) and found[0].error > 0
    by_rule, by_name = (Int8(keep_float=keep) for keep in (Worst(2), (found[0].layer, found[1].layer)))
    converted = [variant.convert(model, tiny_nets.converter(), context) for variant in (by_rule, by_name, Int8())]
    assert converted[0] == converted[1] != converted[2]


@pytest.mark.parametrize("operations", [(), ("DEPTHWISE_CONV_2D",)])
def test_dynamic_range_refuses_operations_that_would_leave_xnnpack(operations: tuple[str, ...]) -> None:
    with pytest.raises(RecipeError, match="Int8Dynamic.operations"):
        Int8Dynamic(operations=operations)
