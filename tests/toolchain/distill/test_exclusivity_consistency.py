"""Exclusivity against the double sum over pairs of filters; hardness weights worked out by hand."""

import pytest
import torch
from torch import nn

from toolchain.distill import ExclusivityConsistency
from toolchain.distill.exclusivity_consistency import filters, hardness_weights, reweighted_exclusivity
from toolchain.distill.feature_consistency import feature_consistency
from toolchain.errors import RecipeError


def layer() -> torch.Tensor:
    return torch.randn(4, 3, 2, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def double_sum(weight: torch.Tensor) -> torch.Tensor:
    """Σ_{i≠j} ‖w_i ⊙ w_j‖₁ as it is written."""
    terms = [(weight[i] * weight[j]).abs().sum() for i in range(len(weight)) for j in range(len(weight)) if i != j]
    return torch.stack(terms).sum()


def test_exclusivity_is_the_double_sum_over_pairs_of_filters() -> None:
    assert float(reweighted_exclusivity(layer(), 0.0)) == pytest.approx(float(double_sum(layer())), rel=1e-12)


def test_the_reweighted_form_has_the_gradient_of_the_double_sum() -> None:
    direct, reweighted = layer().requires_grad_(), layer().requires_grad_()
    double_sum(direct).backward()
    reweighted_exclusivity(reweighted, 0.0).backward()
    assert direct.grad is not None and reweighted.grad is not None
    torch.testing.assert_close(reweighted.grad, direct.grad, rtol=1e-12, atol=1e-12)


def test_filters_that_share_no_position_cost_nothing_and_zeros_are_borne() -> None:
    apart = torch.eye(3)
    assert float(reweighted_exclusivity(apart)) == 0
    weight = torch.zeros(3, 4, requires_grad=True)
    reweighted_exclusivity(weight).backward()
    assert weight.grad is not None and bool(weight.grad.isfinite().all())


def test_only_filters_that_could_share_a_position_are_asked() -> None:
    net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 3, groups=8), nn.Conv2d(8, 4, 1), nn.Linear(4, 2))
    assert [tuple(weight.shape) for weight in filters(net)] == [(8, 3, 3, 3), (4, 8, 1, 1)]


def test_weights_rise_with_the_distance_have_a_mean_of_1_and_no_gradient() -> None:
    distances = torch.tensor([0.1, 0.2, 0.6], requires_grad=True)
    assert hardness_weights(distances, 1.0).tolist() == pytest.approx([1 / 3, 2 / 3, 2.0])
    assert hardness_weights(distances, 2.0).tolist() == pytest.approx([3 * 0.01 / 0.41, 3 * 0.04 / 0.41, 3 * 0.36 / 0.41])
    assert hardness_weights(distances, 0.0).tolist() == [1, 1, 1]
    assert not hardness_weights(distances, 1.0).requires_grad
    for focus in (1.0, 2.0):
        assert hardness_weights(torch.zeros(3), focus).tolist() == [1, 1, 1]


def test_the_loss_is_weighted_consistency_and_exclusivity() -> None:
    random = torch.Generator().manual_seed(1)
    student, teacher = torch.randn(6, 5, generator=random), torch.randn(6, 5, generator=random)
    net, labels = nn.Sequential(nn.Conv2d(3, 4, 3)), torch.zeros(6, dtype=torch.int64)
    plain = ExclusivityConsistency(focus=0, weight=0).build(5, 0, None)(net, student, teacher, labels)
    assert float(plain) == pytest.approx(float(feature_consistency(student, teacher)), rel=1e-6)
    both = ExclusivityConsistency(focus=0, weight=0.5).build(5, 0, None)(net, student, teacher, labels)
    # the weights' epsilon of 1e-6 beside weights of 0.1 in size: 1e-5 of the sum
    assert float(both.detach() - plain) == pytest.approx(0.5 * float(double_sum(net[0].weight.detach())), rel=1e-4)
    assert float(ExclusivityConsistency(weight=0).build(5, 0, None)(net, student, teacher, labels)) > float(plain)


@pytest.mark.parametrize("bad", [{"focus": -1.0}, {"weight": -1.0}])
def test_settings_that_make_no_sense_are_refused(bad: dict[str, float]) -> None:
    with pytest.raises(RecipeError, match="ExclusivityConsistency"):
        ExclusivityConsistency(**bad)
