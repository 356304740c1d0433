"""Similarity consistency against sums written out, and the queue of those that faces are compared with."""

import math

import pytest
import torch
from torch import Tensor, nn

from toolchain.distill import SimilarityConsistency
from toolchain.distill.similarity_consistency import similarity_consistency
from toolchain.errors import RecipeError

NET, LABELS = nn.Identity(), torch.zeros(4, dtype=torch.int64)


def units(seed: int, count: int, dim: int = 3) -> Tensor:
    return nn.functional.normalize(torch.randn(count, dim, generator=torch.Generator().manual_seed(seed), dtype=torch.float64))


def written_out(student: Tensor, teacher: Tensor, others: Tensor, temperature: float) -> float:
    def shares(face: Tensor) -> list[float]:
        weights = [math.exp(sum(float(a) * float(b) for a, b in zip(face, other, strict=True)) / temperature) for other in others]
        return [weight / sum(weights) for weight in weights]

    total = 0.0
    for s, t in zip(student, teacher, strict=True):
        total -= sum(p * math.log(q) for p, q in zip(shares(t), shares(s), strict=True))
    return total / len(student)


@pytest.mark.parametrize("temperature", [0.05, 0.2, 1.0])
def test_it_is_the_cross_entropy_of_two_likenesses(temperature: float) -> None:
    student, teacher, others = units(0, 4), units(1, 4), units(2, 7)
    found = similarity_consistency(student, teacher, others, temperature)
    assert float(found) == pytest.approx(written_out(student, teacher, others, temperature), abs=1e-9)


def test_the_teachers_embedding_is_where_it_is_least() -> None:
    """There the gradient is 0, and a step to any side costs something."""
    teacher, others = units(3, 4), units(4, 9)
    student = teacher.clone().requires_grad_()
    least = similarity_consistency(student, teacher, others, 0.1)
    least.backward()
    assert student.grad is not None and float(student.grad.abs().max()) < 1e-12
    for seed in range(5, 10):
        aside = nn.functional.normalize(teacher + 0.1 * units(seed, 4))
        assert float(similarity_consistency(aside, teacher, others, 0.1)) > float(least.detach())


def test_the_loss_compares_with_the_last_faces_and_the_oldest_fall_out() -> None:
    settings = SimilarityConsistency(others=6, temperature=0.1, weight=2.0)
    loss = settings.build(3, 0, None)
    batches = [units(seed, 4).float() for seed in range(3)]
    student = 5 * units(9, 4).float()  # of any length, as a net gives them
    unit = nn.functional.normalize(student)
    seen: list[Tensor] = []
    for teacher in batches:
        seen += list(teacher)
        found = loss(NET, student, teacher, LABELS)
        angle = float((1 - (unit * teacher).sum(1)).mean())
        expected = angle + 2.0 * 0.1 * written_out(unit, teacher, torch.stack(seen[-6:]), 0.1)
        assert float(found) == pytest.approx(expected, abs=1e-5)


def test_a_batch_longer_than_the_queue_leaves_its_last_faces() -> None:
    loss = SimilarityConsistency(others=3).build(3, 0, None)
    teacher = units(0, 4).float()
    student = units(1, 4).float()
    angle = float((1 - (student * teacher).sum(1)).mean())
    expected = angle + 0.05 * written_out(student, teacher, teacher[-3:], 0.05)
    assert float(loss(NET, student, teacher, LABELS)) == pytest.approx(expected, abs=1e-5)


def test_a_loss_that_goes_on_knows_the_faces_that_it_had() -> None:
    """The queue is part of the state that a checkpoint holds."""
    settings, student = SimilarityConsistency(others=6), units(9, 4).float()
    loss = settings.build(3, 0, None)
    loss(NET, student, units(0, 4).float(), LABELS)
    gone_on = settings.build(3, 0, None)
    gone_on.load_state_dict({name: value.clone() for name, value in loss.state_dict().items()})
    found = [float(item(NET, student, units(1, 4).float(), LABELS)) for item in (loss, gone_on, settings.build(3, 0, None))]
    assert found[0] == found[1] != found[2]


@pytest.mark.parametrize("bad", [{"others": 0}, {"temperature": 0.0}, {"weight": -1.0}, {"temperature": math.inf}])
def test_settings_that_make_no_sense_are_refused(bad: dict[str, float]) -> None:
    with pytest.raises(RecipeError, match="SimilarityConsistency: expected others >= 1"):
        SimilarityConsistency(**bad)  # type: ignore[arg-type]
