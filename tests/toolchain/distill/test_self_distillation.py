"""Self-distillation: nothing to learn for the teacher itself, and a schedule that counts batches."""

from __future__ import annotations

import copy

import torch
from torch import nn

from toolchain.distill.self_distillation import SelfDistillation, map_error
from toolchain.training.loop import Batch


def net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 3), nn.Flatten(), nn.Linear(4 * 4 * 4, 6))


def batch() -> Batch:
    draw = torch.Generator().manual_seed(1)
    return Batch(torch.randn(5, 3, 8, 8, generator=draw), torch.arange(5), torch.zeros(5, dtype=torch.int64))


def test_a_net_that_equals_its_teacher_has_nothing_to_learn() -> None:
    student = net()
    loss = SelfDistillation(copy.deepcopy(student), ("2", "4"), 1.0)(student, batch())
    assert abs(loss.item()) < 1e-6  # 1 - cos of a vector with itself: a few roundings of 2⁻²⁴


def test_matched_maps_count_by_their_weight() -> None:
    student, teacher = net(), net()
    with torch.no_grad():
        student[0].weight.mul_(0.9)
    bare, matched, twice = (SelfDistillation(copy.deepcopy(teacher), ("2",), weight)(student, batch()).item() for weight in (0.0, 1.0, 2.0))
    assert matched > bare
    assert abs((twice - bare) - 2 * (matched - bare)) < 1e-5


def test_a_constant_map_has_an_error_of_one_whatever_the_scale() -> None:
    teacher = torch.randn(6, 3, 4, 4, generator=torch.Generator().manual_seed(2)) * 50 + 7
    constant = teacher.mean((0, 2, 3), keepdim=True).expand_as(teacher)
    torch.testing.assert_close(map_error(constant, teacher), torch.tensor(1.0))
    assert float(map_error(teacher, teacher)) == 0.0


def test_only_the_student_learns_and_the_teacher_is_in_no_checkpoint() -> None:
    student, objective = net(), SelfDistillation(net(), ("2",), 1.0)
    with torch.no_grad():
        student[0].weight.mul_(0.5)
    objective(student, batch()).backward()
    assert all(parameter.grad is not None for parameter in student.parameters())
    assert list(objective.parameters()) == [] and list(objective.state_dict()) == ["step"]


def test_the_schedule_is_told_the_number_of_batches_before_and_goes_on_after_a_restore() -> None:
    told: list[int] = []
    first = SelfDistillation(net(), at_step=told.append)
    first(net(), batch()), first(net(), batch())
    second = SelfDistillation(net(), at_step=told.append)
    second.load_state_dict(first.state_dict())
    second(net(), batch())
    assert told == [0, 1, 2]
