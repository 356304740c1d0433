"""Probability consistency against its sum, worked out with Python's math."""

import math
from collections.abc import Callable

import pytest
import torch

from toolchain.distill import ProbabilityConsistency
from toolchain.distill.probability_consistency import probability_consistency
from toolchain.errors import RecipeError
from toolchain.losses import ArcFace, CentreLoss, Focal, HardExamples, Softmax
from toolchain.losses.base import ClassificationLoss


def softmax(logits: list[float], temperature: float) -> list[float]:
    powers = [math.exp(value / temperature) for value in logits]
    return [power / sum(powers) for power in powers]


@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_value_and_gradient_are_those_of_the_formula(temperature: float) -> None:
    """The gradient with respect to a student's logit is τ (q_S - q_T) / B."""
    students, teachers = [[1.0, -0.5, 0.2], [0.0, 2.0, -1.0]], [[0.3, 0.1, -0.4], [1.0, 1.5, 0.0]]
    logits = torch.tensor(students, dtype=torch.float64, requires_grad=True)
    loss = probability_consistency(logits, torch.tensor(teachers, dtype=torch.float64), temperature)
    loss.backward()
    expected = 0.0
    for row, (student, teacher) in enumerate(zip(students, teachers, strict=True)):
        given, wanted = softmax(student, temperature), softmax(teacher, temperature)
        expected += sum(t * math.log(t / s) for s, t in zip(given, wanted, strict=True)) * temperature**2 / 2
        assert logits.grad is not None
        slopes = [temperature * (s - t) / 2 for s, t in zip(given, wanted, strict=True)]
        assert logits.grad[row].tolist() == pytest.approx(slopes, abs=1e-12)
    assert float(loss.detach()) == pytest.approx(expected, abs=1e-12)


def test_it_is_0_where_both_agree_up_to_a_constant() -> None:
    logits = torch.tensor([[1.0, 2.0, 3.0]], dtype=torch.float64)
    assert float(probability_consistency(logits + 5, logits, 4.0)) == pytest.approx(0, abs=1e-12)


def test_the_teacher_is_not_trained_and_a_teacher_without_classes_is_refused() -> None:
    torch.manual_seed(0)
    teacher = ArcFace(scale=32).build(6, 3).requires_grad_(False)
    loss = ProbabilityConsistency().build(4, 3, teacher)
    net, labels = torch.nn.Identity(), torch.tensor([0, 2])
    loss(net, torch.randn(2, 4), torch.randn(2, 6), labels).backward()
    assert [tuple(parameter.shape) for parameter in loss.parameters()] == [(3, 4)], "the student's centres alone"
    assert all(parameter.grad is not None for parameter in loss.parameters())
    with pytest.raises(RecipeError, match="TrainedTeacher"):
        ProbabilityConsistency().build(4, 0, None)
    with pytest.raises(RecipeError, match="temperature"):
        ProbabilityConsistency(temperature=0)


@pytest.mark.parametrize("around", [lambda of: of, CentreLoss, Focal, HardExamples, lambda of: Focal(CentreLoss(of))])
def test_a_teacher_whose_classifier_depends_on_lengths_is_refused(around: Callable[[ClassificationLoss], ClassificationLoss]) -> None:
    """It would see embeddings of length 1, and teach nearly the same probability for every class."""
    with pytest.raises(RecipeError, match="feature_length="):
        ProbabilityConsistency().build(4, 3, around(Softmax()).build(6, 3))
    for of in (Softmax(feature_length=16), ArcFace(scale=32)):
        ProbabilityConsistency().build(4, 3, around(of).build(6, 3))
