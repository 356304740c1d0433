"""Channel prioritisation: the penalties beside the formulas, groups of channels, pruning, and levels that are prefixes to the last bit."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from tests.toolchain.compress.tiny import context
from tests.toolchain.training.test_train import python
from toolchain.backbones import VGGGAP, MobileFaceNet
from toolchain.compress.channel_groups import ChannelGroup, channel_groups, kept_channels
from toolchain.compress.fine_tune_levels import FineTuneLevels, SummedLevels
from toolchain.compress.fold_batch_norm import fold_batch_norms
from toolchain.compress.narrow import Narrow, narrowed
from toolchain.compress.prioritise import Penalised, Prioritise, disorder, falling_gains, sparsity
from toolchain.compress.prune_by_gain import PruneByGain, ordered_above
from toolchain.errors import RecipeError, ToolchainError
from toolchain.losses import CentreLoss
from toolchain.model import Model
from toolchain.training.loop import Batch, Phase, TrainSettings

VGG = VGGGAP(embedding_size=24, width=1 / 32, pixels=32)
FEW = TrainSettings((Phase(2, 32),), batch=16)


def model_of(backbone: VGGGAP | MobileFaceNet) -> Model:
    """A net whose batch norms are as if they had been trained: no gain, shift or statistic is the start's."""
    torch.manual_seed(0)
    net = backbone.build().eval()
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, std=0.1)
            assert module.running_mean is not None and module.running_var is not None
            module.running_mean.normal_(std=0.1)
            module.running_var.uniform_(0.5, 2)
    return Model(net, backbone.input)


def images_for(model: Model, count: int = 3) -> torch.Tensor:
    return torch.randint(0, 256, (count, 3, model.input.height, model.input.width), dtype=torch.uint8)


def test_gains_start_falling_and_the_penalties_are_the_formulas() -> None:
    assert falling_gains(4).tolist() == [1, 0.75, 0.5, 0.25]
    gains = [torch.tensor([0.5, 0.75, -1.0, -0.25]), torch.tensor([1.0, 0.5])]
    assert float(sparsity(gains)) == 0.5 + 0.75 + 1 + 0.25 + 1 + 0.5
    assert float(disorder(gains)) == (0.75 - 0.5) + (-0.25 + 1), "what rises, from one channel to the next of the same layer"
    net = model_of(VGG).net
    objective = Penalised(net, lambda embeddings, labels: torch.zeros(()), 1e-3, 4e-5)  # type: ignore[arg-type]
    found = float(objective(net, Batch(torch.zeros(2, 3, 32, 32), torch.arange(2), torch.arange(2))).detach())
    layers = [round(filters / 32) for stage in VGGGAP.STAGES for filters in stage]
    # 1 + (N - 1) / N + … + 1 / N = (N + 1) / 2 a layer, and nothing rises; 13 float32 sums of at most 16 terms.
    assert math.isclose(found, 1e-3 * sum((count + 1) / 2 for count in layers), rel_tol=1e-5)


def test_channels_that_an_addition_or_a_depthwise_layer_ties_are_one_group() -> None:
    groups = channel_groups(MobileFaceNet(embedding_size=32, width=0.125).build())
    by_tensor = {item.tensor: number for number, group in enumerate(groups) for item in group.axes if item.axis == 0}
    assert by_tensor["stem.0.weight"] == by_tensor["stem_depthwise.0.weight"] == by_tensor["stem_depthwise.1.running_var"]
    first, second = (by_tensor[f"blocks.{block}.project.0.weight"] for block in (1, 4))
    assert first == second == by_tensor["blocks.0.project.0.weight"], "five blocks on one residual road"
    assert by_tensor["blocks.1.expand.0.weight"] == by_tensor["blocks.1.depthwise.0.weight"] != by_tensor["blocks.2.expand.0.weight"]
    tensors = {item.tensor for group in groups for item in group.axes}
    assert "linear.weight" in tensors and not any(name.startswith("norm.") for name in tensors), "the embedding stays whole"


def test_what_is_not_known_is_refused() -> None:
    for layer in (nn.Conv2d(4, 8, 3, groups=2), nn.PixelShuffle(2)):
        with pytest.raises(RecipeError, match="not known what it does to channels"):
            channel_groups(nn.Sequential(nn.Conv2d(3, 4, 1), layer, nn.Conv2d(8, 4, 1)))


@pytest.mark.parametrize("backbone", [VGG, MobileFaceNet(embedding_size=32, width=0.125)], ids=["VGG-GAP", "MobileFaceNet"])
def test_a_level_is_a_prefix_of_the_whole_net_after_folding_too(backbone: VGGGAP | MobileFaceNet) -> None:
    """Bit for bit: what makes one stored copy enough. Of every layer p % of the channels, of the embedding all."""
    model = model_of(backbone)
    whole = fold_batch_norms(model.net).state_dict()
    for utilisation in (0.75, 0.5):
        narrow = Narrow(utilisation).apply(model, context(Path(), faces=False))
        assert narrow.embed(images_for(model)).shape == (3, backbone.embedding_size)
        folded = fold_batch_norms(narrow.net).state_dict()
        assert folded.keys() == whole.keys()
        for name, tensor in folded.items():
            assert torch.equal(tensor, whole[name][tuple(slice(size) for size in tensor.shape)]), name
        sizes = zip(channel_groups(model.net), channel_groups(narrow.net), strict=True)
        assert all(after.size == kept_channels(before, utilisation) for before, after in sizes)


def test_pruning_puts_the_worthiest_first_and_changes_nothing_where_all_stay() -> None:
    model = model_of(VGG)
    sorted_only = PruneByGain(threshold=0).apply(model, context(Path(), faces=False))
    images = images_for(model)
    # The same sums in another order: 13 layers of at most 144 float32 terms.
    assert torch.allclose(sorted_only.embed(images), model.embed(images), atol=1e-5)
    for group in channel_groups(sorted_only.net):
        gains = sorted_only.net.get_parameter(group.gains[0]).abs()
        assert bool((gains.diff() <= 0).all())
    pruned = PruneByGain(threshold=1.0, least=1).apply(model, context(Path(), faces=False))
    for before, after in zip(channel_groups(model.net), channel_groups(pruned.net), strict=True):
        assert after.size == max(1, int((model.net.get_parameter(before.gains[0]) >= 1).sum()))
    assert pruned.embed(images).shape == (3, VGG.embedding_size)


def test_ties_keep_their_order_and_some_channels_always_stay() -> None:
    worths = torch.tensor([0.2, 0.5, 0.2, 0.05])
    assert ordered_above(worths, 0.1, 1).tolist() == [1, 0, 2]
    assert ordered_above(worths, 9, 2).tolist() == [1, 0]
    assert ordered_above(worths, 9, 8).tolist() == [1, 0, 2, 3]
    with pytest.raises(ToolchainError, match="PruneByGain: expected gains that are numbers, got NaN"):
        ordered_above(torch.tensor([0.5, math.nan, 0.9, 0.01]), 0.1, 1)
    assert kept_channels(ChannelGroup(9, (), ()), 0.5) == 4 and kept_channels(ChannelGroup(1, (), ()), 0.5) == 1


def test_the_summed_loss_is_that_of_the_narrow_nets_and_its_gradient_reaches_the_prefix_alone() -> None:
    model = model_of(VGG)
    net = model.net.train()
    images, labels = torch.randn(4, 3, 32, 32), torch.tensor([0, 1, 0, 1])
    objective = SummedLevels(net, lambda embeddings, labels: embeddings.square().sum(), (1.0, 0.5), match_weight=2.0)  # type: ignore[arg-type]
    found = objective(net, Batch(images, torch.arange(4), labels))
    with torch.no_grad():
        wide, half = net.eval()(images), narrowed(net, 0.5).eval()(images)
        expected = wide.square().sum() + half.square().sum() + 2 * (1 - nn.functional.cosine_similarity(half, wide)).mean()
    assert torch.allclose(found, expected, rtol=1e-5)
    last = model_of(VGG).net.train()
    only_half = SummedLevels(last, lambda embeddings, labels: embeddings.sum(), (1.0, 0.5), match_weight=0.0)  # type: ignore[arg-type]
    only_half._levels[0].embed(last, images).sum().backward()
    gradient = last.get_parameter("features.0.0.weight").grad
    assert gradient is not None and bool((gradient[1:] == 0).all()) and bool((gradient[:1] != 0).any()), "one of two filters"


def test_the_stages_train_and_leave_what_they_must(tmp_path: Path) -> None:
    start = model_of(VGG)
    ordered = Prioritise(CentreLoss(), FEW).apply(start, context(tmp_path / "first"))
    tuned = FineTuneLevels(CentreLoss(), FEW).apply(ordered, context(tmp_path / "then"))
    norms = [name for name, module in start.net.named_modules() if isinstance(module, nn.BatchNorm2d)]
    before, after = ordered.net.state_dict(), tuned.net.state_dict()
    for name, tensor in after.items():
        frozen = name.rpartition(".")[0] in norms
        assert torch.equal(tensor, before[name]) == frozen, f"{name}: batch norm is frozen, all else is trained"
    gain = ordered.net.get_parameter("features.0.1.weight")
    assert not torch.equal(gain, start.net.get_parameter("features.0.1.weight")), "the gains start anew"
    again = FineTuneLevels(CentreLoss(), FEW).apply(ordered, context(tmp_path / "again"))
    assert again.fingerprint() == tuned.fingerprint()


def frozen_run(work: Path) -> None:
    """FineTuneLevels, as a process of several runs it."""
    start = model_of(VGG)
    tuned = FineTuneLevels(CentreLoss(), FEW).apply(start, context(work)).net.state_dict()
    norms = [name for name, module in start.net.named_modules() if isinstance(module, nn.BatchNorm2d)]
    for name, tensor in start.net.state_dict().items():
        frozen = name.rpartition(".")[0] in norms
        assert torch.equal(tensor, tuned[name]) == frozen, name


def test_batch_norm_is_frozen_on_several_processes_too(tmp_path: Path) -> None:
    script = tmp_path / "two.py"
    work = str(tmp_path / "work")
    script.write_text(
        f"from pathlib import Path\nfrom tests.toolchain.compress.test_prioritise import frozen_run\nfrozen_run(Path({work!r}))\n"
    )
    done = python(script, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
    assert done.returncode == 0, done.stderr[-2000:]


def test_settings_that_make_no_sense_are_refused() -> None:
    for wrong in ((1.0,), (0.75, 0.5), (1.0, 0.5, 0.75), (1.0, 0.0)):
        with pytest.raises(RecipeError, match="utilisations"):
            FineTuneLevels(CentreLoss(), utilisations=wrong)
    with pytest.raises(RecipeError, match="match_weight"):
        FineTuneLevels(CentreLoss(), match_weight=-1)
    with pytest.raises(RecipeError, match="weights of 0 or more"):
        Prioritise(CentreLoss(), sparsity_weight=-1)
    with pytest.raises(RecipeError, match="Narrow.utilisation"):
        Narrow(0)
    with pytest.raises(RecipeError, match="threshold of 0 or more"):
        replace(PruneByGain(), threshold=math.nan)
