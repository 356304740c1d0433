"""MatrixMuon sees the weights themselves, whatever their layout in memory."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from toolchain.training.optimizers import MatrixMuon


def stepped(layout: torch.memory_format) -> Tensor:
    """A 3×3 conv weight after two steps, with the gradient in the layout that a backward pass gives it."""
    torch.manual_seed(0)
    conv = nn.Conv2d(8, 16, 3, bias=False)
    images = torch.randn(2, 8, 6, 6)
    conv = conv.to(memory_format=layout)  # type: ignore[call-overload]
    muon = MatrixMuon([conv.weight], lr=0.1, weight_decay=0.0)
    for _ in range(2):
        conv(images.contiguous(memory_format=layout)).square().mean().backward()
        muon.step()
        muon.zero_grad()
    assert conv.weight.grad is None
    return conv.weight.detach()


def test_a_step_is_the_same_in_either_layout() -> None:
    torch.manual_seed(0)
    start = nn.Conv2d(8, 16, 3, bias=False).weight.detach()
    plain, last = stepped(torch.contiguous_format), stepped(torch.channels_last)
    assert last.is_contiguous(memory_format=torch.channels_last) and not last.is_contiguous()
    # Each step moves the weights by 0.2 · rate in root mean square (Jordan et al.'s match of AdamW's), so a copy would stand still.
    assert float((last - start).square().mean().sqrt()) > 0.02
    # torch orthogonalises in bfloat16 (8 bits), where sums in another order differ by up to a few 2⁻⁸ of a step.
    assert float((last - plain).abs().max()) < 0.05 * float((last - start).abs().max())


def test_weights_that_were_moved_are_refused_rather_than_left_as_they_are() -> None:
    conv = nn.Conv2d(8, 16, 3, bias=False)
    muon = MatrixMuon(conv.parameters(), lr=0.1, weight_decay=0.0)
    conv(torch.randn(2, 8, 6, 6)).square().mean().backward()
    muon.step()
    conv.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    with pytest.raises(RuntimeError, match="was moved"):
        muon.step()


def test_weights_that_are_no_matrix_in_memory_are_refused_rather_than_copied() -> None:
    with pytest.raises(RuntimeError, match="view"):
        MatrixMuon([nn.Parameter(torch.randn(8, 16, 3, 3)[:, ::2])], lr=0.1, weight_decay=0.0)
