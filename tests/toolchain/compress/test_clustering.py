"""Clustering by rate and distortion."""

from __future__ import annotations

import math

import torch

from toolchain.compress.clustering import GRID, boundaries, channel_rms, clusters, codebook, entropy_bits, stored_scale

NORMAL = torch.randn(200_000, generator=torch.Generator().manual_seed(0))


def assigned(values: torch.Tensor, centres: torch.Tensor, bits: torch.Tensor, rate: float) -> torch.Tensor:
    return ((values[:, None] - centres) ** 2 + rate * bits).argmin(1)


def test_a_tensor_of_few_values_is_kept_exactly() -> None:
    values = torch.tensor([-2.0, -0.5, 0.25, 3.0]).repeat_interleave(torch.tensor([1, 5, 2, 8]))
    centres, bits = clusters(values, 4, rate=0.0)
    assert torch.equal(centres, torch.tensor([-2.0, -0.5, 0.25, 3.0]))
    torch.testing.assert_close(bits, -(torch.tensor([1, 5, 2, 8]) / 16).log2())


def test_k_means_ends_where_every_centre_is_the_mean_of_the_values_nearest_to_it() -> None:
    values = NORMAL[:5000]
    centres, bits = clusters(values, 8, rate=0.0, iterations=1000)
    nearest = assigned(values, centres, bits, 0.0)
    means = torch.stack([values[nearest == index].mean() for index in range(8)])
    # A value less than half a bin from a border may be counted on its other side: about 5000/8192 values a border.
    bin_width = float(values.max() - values.min()) / 8191
    torch.testing.assert_close(centres, means, rtol=0, atol=10 * bin_width)


def test_a_higher_rate_takes_fewer_bits_and_leaves_more_error() -> None:
    found = []
    for rate in (0.0, 0.012, 0.05):
        centres, bits = clusters(NORMAL, 32, rate)
        indices = assigned(NORMAL, centres, bits, rate)
        found.append((entropy_bits(indices), float((NORMAL - centres[indices]).square().mean())))
    assert found[0][0] > found[1][0] + 0.3 and found[1][0] > found[2][0] + 0.3
    assert found[0][1] < found[1][1] < found[2][1]


def test_a_normal_source_comes_within_a_quarter_bit_of_the_rate_distortion_bound() -> None:
    """Gish and Pierce (IEEE Trans. IT 1968): entropy-coded scalar quantization costs ½ log2(πe/6) = 0.2546 bit more than
    R(D) = ½ log2(σ²/D) at high rate, and never more for a normal source."""
    centres, bits = clusters(NORMAL, 32, rate=0.012)
    indices = assigned(NORMAL, centres, bits, 0.012)
    error = float((NORMAL - centres[indices]).square().mean())
    over = entropy_bits(indices) - 0.5 * math.log2(float(NORMAL.square().mean()) / error)
    # 200,000 draws: the entropy of about 20 clusters is biased by 20 / (2 · 200,000 · ln 2), the error's relative deviation is
    # below 1 %: 0.01 bit in all.
    assert 0.0 < over < 0.2546 + 0.01


def test_boundaries_choose_the_level_of_least_cost() -> None:
    book = codebook(NORMAL.reshape(20, -1), 32, rate=0.02)
    values = torch.linspace(-140, 140, 20001)
    step = 0.02 / book.unit**2
    by_boundary = torch.bucketize(values, boundaries(book.levels, book.bits, step))
    by_cost = assigned(values, book.levels, book.bits, step)
    cost = (values[:, None] - book.levels) ** 2 + step * book.bits
    chosen = cost.gather(1, by_boundary[:, None])[:, 0]
    torch.testing.assert_close(chosen, cost.gather(1, by_cost[:, None])[:, 0], rtol=1e-5, atol=1e-3)


def test_the_codebook_fills_the_int8_grid_with_distinct_ascending_levels() -> None:
    book = codebook(NORMAL.reshape(50, -1) * torch.linspace(0.01, 3, 50)[:, None], 16, rate=0.0)
    assert float(book.levels.abs().max()) == GRID
    assert bool((book.levels.diff() >= 1).all()) and torch.equal(book.levels, book.levels.round())
    torch.testing.assert_close(torch.exp2(-book.bits).sum(), torch.tensor(1.0))


def test_a_constant_and_an_all_zero_tensor_have_a_codebook() -> None:
    assert codebook(torch.full((2, 3), 0.5), 8, 0.0).levels.tolist() == [GRID]
    assert codebook(torch.zeros(2, 3), 8, 0.0).levels.tolist() == [0]


def test_entropy_of_four_equal_shares_is_two_bits_and_of_one_value_none() -> None:
    assert entropy_bits(torch.arange(4).repeat(7)) == 2.0
    assert entropy_bits(torch.zeros(9)) == 0.0


def test_channel_rms_is_that_of_each_filter() -> None:
    torch.testing.assert_close(channel_rms(torch.tensor([[[[3.0, 4.0]]], [[[0.0, 1.0]]]])), torch.tensor([12.5, 0.5]).sqrt())


def test_a_scale_that_fp16_cannot_hold_stays_what_it_is() -> None:
    assert stored_scale(torch.tensor([0.0, 1e-12, 1 / 3, 65504.0, 1e6])).tolist() == [2.0**-24, 2.0**-24, 0.333251953125, 65504.0, 1e6]
