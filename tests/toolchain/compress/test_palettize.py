"""Palettize: what it stores is what runs, and fine-tuning brings the embeddings back."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch

from tests.toolchain.compress.tiny import context, mean_cosine, tiny_model
from toolchain.compress.binarize import SignWeights
from toolchain.compress.clustering import codebook, entropy_bits
from toolchain.compress.fold_batch_norm import FoldBatchNorm
from toolchain.compress.palettize import Palettize, SharedWeights
from toolchain.encodings import Binary, Palette
from toolchain.errors import DataError, RecipeError, ToolchainError
from toolchain.model import Model
from toolchain.training.loop import Phase, TrainSettings

COARSE = Palettize(clusters=5, rate=0.0, fine_clusters=5, fine_rate=0.0)
SETTINGS = TrainSettings(phases=(Phase(60, 32, 1e-2),), batch=16, optimizer="adamw", weight_decay=0.0)


def indices(model: Model) -> dict[str, torch.Tensor]:
    return {name: torch.from_numpy(item.indices) for name, item in model.encodings.items() if isinstance(item, Palette)}


def test_without_settings_it_needs_no_face_and_encodes_every_weight(tmp_path: Path) -> None:
    model = tiny_model()
    before = model.fingerprint()
    made = Palettize(clusters=16, fine_clusters=64, fine_rate=0.0, rate=0.0).apply(model, context(tmp_path, faces=False))
    assert set(made.encodings) == {"0.weight", "2.weight", "4.weight", "6.weight", "10.weight"}
    for name, encoding in made.encodings.items():
        assert isinstance(encoding, Palette)
        assert len(encoding.levels) <= (64 if name in ("0.weight", "2.weight") else 16)
    assert model.fingerprint() == before
    # 16 levels of a normal source leave 1 % of its energy as error (Max 1960: 0.0115), a layer; three coarse layers: 3.5 %, so
    # the cosine is about 1 - 0.035 / 2.
    assert mean_cosine(made, model) > 0.98


def test_all_that_is_stored_fits_two_bytes_a_value(tmp_path: Path) -> None:
    made = Palettize().apply(tiny_model(), context(tmp_path, faces=False))
    for name, tensor in made.net.state_dict().items():
        if name not in made.encodings:
            assert torch.equal(tensor, tensor.half().float()), name
    for encoding in made.encodings.values():
        scale = torch.from_numpy(encoding.grid()[1])
        assert torch.equal(scale, scale.half().float())


def test_a_rate_lowers_the_entropy_of_the_indices(tmp_path: Path) -> None:
    dear, cheap = (Palettize(rate=rate).apply(tiny_model(), context(tmp_path, faces=False)) for rate in (0.05, 0.0))
    assert entropy_bits(indices(dear)["6.weight"]) < entropy_bits(indices(cheap)["6.weight"]) - 0.5


def test_fine_tuning_brings_the_embeddings_back_at_the_same_number_of_levels(tmp_path: Path) -> None:
    model = tiny_model()
    clustered = COARSE.apply(model, context(tmp_path, faces=False))
    tuned = dataclasses.replace(COARSE, settings=SETTINGS).apply(model, context(tmp_path))
    assert 1 - mean_cosine(tuned, model) < 0.5 * (1 - mean_cosine(clustered, model))
    assert all(len(encoding.levels) <= 5 for encoding in tuned.encodings.values() if isinstance(encoding, Palette))


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    stage = dataclasses.replace(COARSE, settings=dataclasses.replace(SETTINGS, phases=(Phase(5, 32),)))
    first, second = (stage.apply(tiny_model(), context(tmp_path / name)).fingerprint() for name in "ab")
    assert first == second


def test_tensors_that_are_encoded_already_are_left_alone(tmp_path: Path) -> None:
    model = tiny_model()
    signs = SignWeights(weight := model.net.get_parameter("6.weight").detach()).encoding(weight)
    mixed = model.with_weights({"6.weight": signs})
    stage = dataclasses.replace(COARSE, settings=dataclasses.replace(SETTINGS, phases=(Phase(3, 32),)))
    made = stage.apply(mixed, context(tmp_path))
    assert isinstance(made.encodings["6.weight"], Binary) and isinstance(made.encodings["4.weight"], Palette)
    assert torch.equal(made.net.get_parameter("6.weight"), signs.decode())


def test_the_parametrization_gives_the_stored_weight_and_passes_its_gradient_on() -> None:
    weight = torch.randn(6, 5, 3, 3, generator=torch.Generator().manual_seed(1))
    shared = SharedWeights(weight, codebook(weight, 7, 0.01), 0.01)
    latent = shared.right_inverse(weight).requires_grad_()
    made = shared(latent)
    assert torch.equal(made.detach(), shared.encoding(latent.detach()).decode())
    gradient = torch.randn(made.shape, generator=torch.Generator().manual_seed(2))
    made.backward(gradient)
    # As of weight = latent · rms, of levels · scale[channel], and of exp(log scale) at 0.
    torch.testing.assert_close(latent.grad, gradient * shared.rms.reshape(-1, 1, 1, 1))
    # The trained scale is rounded to fp16 on its way to the weight, half a step of 2⁻¹⁰ at most.
    torch.testing.assert_close(shared.log_scale.grad, (gradient * made.detach()).sum((1, 2, 3)), rtol=2.0**-10, atol=2e-3)
    by_level = torch.zeros(len(shared.levels)).index_add_(
        0, shared.indices(latent).flatten(), (gradient * shared.scale().detach().reshape(-1, 1, 1, 1)).flatten()
    )
    torch.testing.assert_close(shared.levels.grad, by_level)


def test_batch_norm_must_be_folded_first(tmp_path: Path) -> None:
    model = tiny_model(batch_norm=True)
    with pytest.raises(ToolchainError, match=r"put FoldBatchNorm\(\) before Palettize"):
        Palettize().apply(model, context(tmp_path, faces=False))
    Palettize().apply(FoldBatchNorm().apply(model, context(tmp_path)), context(tmp_path, faces=False))


def test_fine_tuning_without_faces_says_so(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="Palettize needs face images"):
        Palettize(SETTINGS).apply(tiny_model(), context(tmp_path, faces=False))


@pytest.mark.parametrize("wrong", [{"clusters": 1}, {"fine_clusters": 256}, {"rate": -1.0}, {"map_weight": float("nan")}])
def test_settings_out_of_range_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(RecipeError, match=next(iter(wrong))):
        Palettize(**wrong)  # type: ignore[arg-type]
