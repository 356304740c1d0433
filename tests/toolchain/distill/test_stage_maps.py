"""Maps matched stage by stage, and faces mixed: shapes and sums by hand."""

import pytest
import torch
from torch import nn

from toolchain.distill.objectives import mixed
from toolchain.distill.stage_maps import StageRegressors, stage_maps


def net(channels: int) -> nn.Module:
    """Two convolutions at half the size, one at a quarter, one of a single position."""
    torch.manual_seed(channels)
    halves = [nn.Conv2d(3, channels, 3, 2, 1), nn.Conv2d(channels, channels + 1, 1)]
    return nn.Sequential(*halves, nn.Conv2d(channels + 1, channels + 2, 3, 2, 1), nn.Conv2d(channels + 2, 5, 4))


def test_the_last_map_of_each_resolution_is_seen_and_a_second_run_starts_anew() -> None:
    student = net(4)
    with stage_maps(student) as seen:
        student(torch.zeros(2, 3, 16, 16))
        assert {level: tuple(maps.shape) for level, maps in seen.items()} == {1: (2, 5, 8, 8), 2: (2, 6, 4, 4)}
        student(torch.zeros(1, 3, 16, 16))
        assert {len(maps) for maps in seen.values()} == {1}
    student(torch.zeros(3, 3, 16, 16))
    assert {len(maps) for maps in seen.values()} == {1}, "no hook is left"


def test_a_student_that_is_its_teacher_can_match_it_exactly_at_half_the_size_too() -> None:
    random = torch.Generator().manual_seed(0)
    teacher = {1: torch.randn(6, 4, 8, 8, generator=random), 2: torch.randn(6, 5, 4, 4, generator=random)}
    student = {level: nn.functional.avg_pool2d(maps, 2) for level, maps in teacher.items()}
    regressors = StageRegressors(student, teacher)
    assert float(regressors(student, teacher)) > 0.1
    with torch.no_grad():
        for layer in regressors.layers:
            assert isinstance(layer, nn.Conv2d) and layer.bias is not None
            layer.weight.copy_(torch.eye(layer.in_channels)[:, :, None, None])
            layer.bias.zero_()
    assert float(regressors(student, teacher)) == pytest.approx(0, abs=1e-10)


def test_faces_are_mixed_with_their_neighbours_up_to_the_share_asked_for() -> None:
    images = torch.stack([torch.full((3, 20, 20), float(number)) for number in (0, 100)])
    torch.manual_seed(0)
    found = mixed(images, mixup=0.3, cut=0.0)
    assert bool((found[0] <= 30).all()) and bool((found[0] > 0).all()) and bool((found[1] >= 70).all())
    torch.manual_seed(0)
    cut = mixed(images, mixup=0.0, cut=0.5)
    share = float((cut[0] == 100).float().mean())
    assert 0 < share <= 0.25 and set(cut.unique().tolist()) == {0.0, 100.0}
    assert torch.equal(mixed(images, 0.0, 0.0), images)
    assert set(images.unique().tolist()) == {0.0, 100.0}, "what was given stays as it was"
