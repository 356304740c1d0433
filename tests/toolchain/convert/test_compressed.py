from __future__ import annotations

import dataclasses
import functools

import numpy as np
import pytest

from runtime_py.packed import CODEBOOK_VERSION, HEADER, unpack
from tests.toolchain import tiny_nets
from tests.toolchain.encodings.drawn import DRAWN
from toolchain.convert import flatbuffer
from toolchain.convert.compressed import Compressed
from toolchain.convert.tie import tie
from toolchain.encodings import Affine, Codebook, CodebookEncoding, LogMinMax, Sparse, Ternary
from toolchain.errors import ConversionError, RecipeError
from toolchain.model import Model
from toolchain.pack.packed import TiedCodebook, pack
from toolchain.parity import host

CHOSEN = {
    "stem.0.weight": LogMinMax,
    "depthwise.0.weight": Codebook,
    "project.0.weight": Ternary,
    "shrink.0.weight": Sparse,
    "linear.weight": Affine,
}


@functools.cache
def model() -> Model:
    """Every layer in another encoding: free floats of both kinds, and three kinds on the grid."""
    state = tiny_nets.folded().net.state_dict()
    random = np.random.default_rng(3)
    return tiny_nets.folded().with_weights({name: DRAWN[kind](random, tuple(state[name].shape), 5) for name, kind in CHOSEN.items()})


@functools.cache
def converted() -> bytes:
    return Compressed().convert(model(), tiny_nets.converter(), tiny_nets.context(tiny_nets.session_folder()))


def test_what_runs_is_what_torch_computes_with_the_decoded_weights() -> None:
    results = host.compare(model(), converted(), tiny_nets.images(host.LEAST_FACES, seed=5))
    assert not [why for item in results if isinstance(item, host.Parity) and (why := host.missed(item, Compressed().gate))]
    host.check_runs_everywhere("compressed", converted())


def test_weights_on_a_grid_are_stored_in_int8_and_free_floats_stay_floats() -> None:
    read = flatbuffer.read(converted())
    constants = [flatbuffer.constant(read, item) for item in read.subgraphs[0].tensors if flatbuffer.is_constant(read, item)]
    weights = [array for array in constants if array.ndim > 1 and array.size >= 64]
    assert sorted(str(array.dtype) for array in weights if array.dtype in (np.int8, np.float32)) == ["float32"] * 2 + ["int8"] * 3


def test_every_encoding_is_tied_packed_and_rebuilt() -> None:
    tied = tie(model(), converted())
    assert set(tied) == set(CHOSEN)
    for name, place in tied.items():
        is_codebook = isinstance(model().encodings[name], CodebookEncoding)
        assert isinstance(place, TiedCodebook) == is_codebook
        assert converted()[place.offset :].startswith(place.content())
    log_min_max = tied["stem.0.weight"]
    assert isinstance(log_min_max, TiedCodebook) and log_min_max.geometric is not None
    stored = pack(converted(), tied)
    assert HEADER.unpack_from(stored)[1] == CODEBOOK_VERSION
    assert unpack(stored) == converted()


def test_a_codebook_that_is_off_by_one_bit_is_refused_by_name() -> None:
    encoding = model().encodings["depthwise.0.weight"]
    assert isinstance(encoding, Codebook)
    values = encoding.values.copy()
    used = int(encoding.indices.flat[0])
    values[used] = np.nextafter(values[used], np.float32(np.inf))
    other = model().with_weights({"depthwise.0.weight": dataclasses.replace(encoding, values=values)})
    with pytest.raises(ConversionError, match=r"^depthwise\.0\.weight: encoded as \[8, 1, 3, 3\], but no weight"):
        tie(other, converted())


def test_a_recipe_names_it() -> None:
    assert Compressed(name="log-min-max-10").name == "log-min-max-10"
    for name in ("", "Log", "a b", "-a", "../a"):
        with pytest.raises(RecipeError, match="lower-case"):
            Compressed(name=name)


def test_a_model_without_encodings_is_refused() -> None:
    with pytest.raises(ConversionError, match="compressed: expected encoded tensors"):
        Compressed().convert(tiny_nets.folded(), tiny_nets.converter(), tiny_nets.context(tiny_nets.session_folder()))
