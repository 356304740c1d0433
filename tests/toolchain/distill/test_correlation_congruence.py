"""Correlation congruence against the Gaussian kernel itself and against sums written out."""

import math

import pytest
import torch

from toolchain.distill import CorrelationCongruence
from toolchain.distill.correlation_congruence import correlation_congruence, gaussian_correlation, inner_products
from toolchain.errors import RecipeError

GAMMA = 0.4


def features(seed: int, dim: int = 3) -> torch.Tensor:
    return torch.randn(5, dim, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_the_series_comes_to_the_gaussian_of_the_distances() -> None:
    """Lagrange's remainder: of exp(x), |x| <= 2γ = 0.8, after order P at most e^0.8 0.8^(P+1) / (P+1)!, times the factor e^-0.8."""
    unit = torch.nn.functional.normalize(features(0))
    for order in (2, 5, 12):
        found = gaussian_correlation(features(0), GAMMA, order)
        for i in range(5):
            for j in range(5):
                exact = math.exp(-GAMMA * sum((float(a) - float(b)) ** 2 for a, b in zip(unit[i], unit[j], strict=True)))
                assert abs(float(found[i, j]) - exact) <= (2 * GAMMA) ** (order + 1) / math.factorial(order + 1) + 1e-12


def test_the_second_order_is_the_papers_polynomial() -> None:
    a, b = torch.tensor([[3.0, 0.0], [1.0, 1.0]], dtype=torch.float64)
    product = 1 / math.sqrt(2)  # cosine of 45 degrees
    expected = math.exp(-0.8) * (1 + 0.8 * product + 0.32 * product**2)
    assert float(gaussian_correlation(torch.stack([a, b]), GAMMA, 2)[0, 1]) == pytest.approx(expected, abs=1e-12)


def test_the_loss_is_the_mean_over_all_pairs_of_faces() -> None:
    student, teacher = features(1), features(2, 7)
    cosine = torch.nn.functional.cosine_similarity
    total = 0.0
    for i in range(5):
        for j in range(5):
            total += float(cosine(student[i], student[j], 0) - cosine(teacher[i], teacher[j], 0)) ** 2
    found = correlation_congruence(inner_products(student), inner_products(teacher))
    assert float(found) == pytest.approx(total / 25, abs=1e-12)


def test_turning_all_embeddings_alike_changes_no_correlation_and_the_whole_loss_sees_it() -> None:
    """Correlations know of no direction, feature consistency does: both are in the loss."""
    teacher = torch.nn.functional.normalize(features(3)).float()
    turned = teacher @ torch.linalg.qr(torch.randn(3, 3, generator=torch.Generator().manual_seed(4)))[0]
    assert float(correlation_congruence(inner_products(turned), inner_products(teacher))) < 1e-12
    net, labels = torch.nn.Identity(), torch.zeros(5, dtype=torch.int64)
    for kernel in ("inner", "gaussian"):
        loss = CorrelationCongruence(kernel=kernel).build(3, 0, None)  # type: ignore[arg-type]
        assert float(loss(net, teacher, teacher, labels)) == pytest.approx(0, abs=1e-5)
        assert float(loss(net, turned, teacher, labels)) > 0.1


@pytest.mark.parametrize("bad", [{"kernel": "linear"}, {"gamma": 0.0}, {"order": 0}, {"weight": -1.0}])
def test_settings_that_make_no_sense_are_refused(bad: dict[str, object]) -> None:
    with pytest.raises(RecipeError, match="CorrelationCongruence"):
        CorrelationCongruence(**bad)  # type: ignore[arg-type]
