"""The bound that two runtimes are held to follows from what a graph adds up."""

from __future__ import annotations

import math

import pytest

from runtime_py.bundle import Bundle
from tests.conftest import Built
from tests.tiny_tflite import tiny_tflite, with_int8_ends
from toolchain.parity.tolerance import Arithmetic, arithmetic, tolerance


@pytest.mark.parametrize(
    ("variant", "kind"),
    [
        ("fp32", Arithmetic.FLOAT),
        ("fp16", Arithmetic.FLOAT),
        ("int8-dynamic", Arithmetic.MIXED),
        ("int8", Arithmetic.INTEGER),
        ("binary", Arithmetic.FLOAT),
        ("clustered", Arithmetic.FLOAT),
    ],
)
def test_arithmetic_is_told_from_the_graph(built: Built, variant: str, kind: Arithmetic) -> None:
    assert arithmetic(Bundle.open(built.bundle).model(variant)) is kind


def test_int8_ends_do_not_make_float_sums_integers() -> None:
    assert arithmetic(with_int8_ends(tiny_tflite(8, 8, 4, seed=1), (0.01, 0), (0.1, 0))) is Arithmetic.FLOAT


def test_the_bound_of_floats_grows_with_the_root_of_what_is_added() -> None:
    # One layer of 8 x 8 x 3 inputs: 192 terms. Four times as many terms, twice the bound.
    small, large = (tolerance(tiny_tflite(side, side, 4, seed=1), True) for side in (8, 16))
    assert small.max_abs == pytest.approx(8 * math.sqrt(2 * 192) * 2**-24)
    assert large.max_abs == pytest.approx(2 * small.max_abs)


def test_integers_are_asked_for_the_same_bits_only_where_xnnpack_runs_them_whole(built: Built) -> None:
    int8 = Bundle.open(built.bundle).model("int8")
    assert tolerance(int8, whole=True).max_abs == 0
    assert tolerance(int8, whole=False).min_cosine == 0.99
