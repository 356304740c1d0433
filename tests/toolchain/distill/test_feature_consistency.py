"""Feature consistency from one or several teachers: the mathematics by hand, the cache by content, the stage end to end."""

import dataclasses
import itertools
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tests.toolchain.tiny_teachers import CONTRACT, exported, settled
from toolchain.backbones import MobileFaceNet
from toolchain.data.augment import Augment
from toolchain.data.faces import Faces
from toolchain.distill import (
    CorrelationCongruence,
    Distill,
    ExclusivityConsistency,
    FeatureConsistency,
    Inherit,
    ProbabilityConsistency,
    SimilarityConsistency,
    Teacher,
    TrainedTeacher,
    feature_consistency,
)
from toolchain.distill.base import Consistency, ConsistencyLoss
from toolchain.distill.feature_consistency import feature_distance
from toolchain.distill.inherit import eliminate
from toolchain.distill.objectives import Comparison, LiveTeachers
from toolchain.distill.teachers import concatenate, embed_both_flips, kept_embeddings, principal_directions, reduction, targets
from toolchain.errors import DataError, RecipeError
from toolchain.losses import ArcFace, Train
from toolchain.model import Model, to_input
from toolchain.progress import Progress
from toolchain.stage import Context
from toolchain.training.loop import Batch, Phase, TrainSettings


@pytest.fixture(scope="module")
def faces() -> Faces:
    random = np.random.default_rng(3)
    smooth = random.integers(0, 255, (48, 7, 7, 3)).repeat(16, 1).repeat(16, 2)
    return Faces(smooth.astype(np.uint8), tuple(f"p{row}/0.png" for row in range(48)))


@pytest.fixture(scope="module")
def teachers(tmp_path_factory: pytest.TempPathFactory) -> tuple[Teacher, Teacher]:
    folder = tmp_path_factory.mktemp("teachers")
    made = []
    for seed, dim in ((0, 12), (1, 20)):
        torch.manual_seed(seed)
        made.append(exported(settled(MobileFaceNet(width=0.125, embedding_size=dim).build(), seed), folder / f"{seed}.onnx"))
    return made[0], made[1]


class Wanted(ConsistencyLoss):
    """Keeps what the teachers' embeddings are."""

    def __init__(self, seen: list[Tensor]) -> None:
        super().__init__()
        self.seen = seen

    def loss(self, net: nn.Module, student: Tensor, teacher: Tensor, labels: Tensor) -> Tensor:
        self.seen.append(teacher)
        return feature_consistency(student, teacher)


def test_loss_is_one_minus_the_cosine_whatever_the_lengths() -> None:
    student, teacher = torch.tensor([[3.0, 0.0], [0.0, 2.0]]), torch.tensor([[1.0, 1.0], [0.0, 9.0]])
    # cosines 1/sqrt(2) and 1
    assert float(feature_consistency(student, teacher)) == pytest.approx((1 - 0.5**0.5) / 2, abs=1e-6)


def test_the_distance_is_euclids_and_bears_equal_embeddings() -> None:
    student = torch.tensor([[3.0, 4.0], [1.0, 1.0]], requires_grad=True)
    loss = feature_distance(student, torch.tensor([[0.0, 0.0], [1.0, 1.0]]))
    assert float(loss.detach()) == pytest.approx(2.5)
    loss.backward()
    assert student.grad is not None and student.grad.tolist() == [[pytest.approx(0.3), pytest.approx(0.4)], [0, 0]]
    with pytest.raises(RecipeError, match="cosine or l2"):
        FeatureConsistency(form="l1")  # type: ignore[arg-type]


def test_the_cosine_of_concatenated_teachers_is_the_mean_of_theirs() -> None:
    torch.manual_seed(0)
    parts = [nn.functional.normalize(torch.randn(2, dim)) for dim in (3, 5)]
    joined = concatenate(parts)
    assert float(joined[0] @ joined[1]) == pytest.approx(float(sum(p[0] @ p[1] for p in parts)) / 2, abs=1e-6)


def test_principal_directions_keep_more_energy_than_any_axes() -> None:
    torch.manual_seed(0)
    data = torch.randn(200, 5) @ torch.randn(5, 5)
    directions = principal_directions(data, 2)
    assert torch.allclose(directions.T @ directions, torch.eye(2), atol=1e-6)
    kept = float((data @ directions).square().sum())
    assert kept >= max(float(data[:, list(axes)].square().sum()) for axes in itertools.combinations(range(5), 2))
    assert kept == pytest.approx(float(torch.linalg.svdvals(data)[:2].square().sum()), rel=1e-5)


def test_evened_targets_are_centred_and_partly_whitened_in_the_directions_that_are_kept() -> None:
    """Of strength s the covariance C / λ becomes (C / λ) (C / λ + 0.2)^-s, λ its mean variance, so that at 1 it is nearly the identity."""
    torch.manual_seed(1)
    joined = nn.functional.normalize(torch.randn(300, 9) * torch.arange(1, 10) + 5)
    plain, half, whole = (joined @ item.directions + item.offset for item in (reduction(joined, 4, even) for even in (0.0, 0.5, 1.0)))
    assert torch.allclose(nn.functional.normalize(half), reduction(joined, 4, 0.5)(joined), atol=1e-6)
    assert float(half.mean(0).abs().max()) < 1e-5 and float(whole.mean(0).abs().max()) < 1e-5
    energies = torch.linalg.eigvalsh(torch.cov(plain.T.double(), correction=0))
    energies = energies / energies.mean()
    for found, even in ((half, 0.5), (whole, 1.0)):
        spread = torch.linalg.eigvalsh(torch.cov(found.T.double(), correction=0))
        expected = (energies * (energies + 0.2) ** -even * torch.cov(plain.T.double(), correction=0).diagonal().mean()).sort().values
        assert torch.allclose(spread, expected, rtol=1e-3)


def test_kept_and_live_teachers_are_evened_alike(teachers: tuple[Teacher, Teacher], faces: Faces, tmp_path: Path) -> None:
    context = Context(tmp_path, progress=Progress(quiet=True))
    wanted = targets(teachers, faces, 16, context, even=0.5)
    assert not torch.allclose(wanted.embeddings, targets(teachers, faces, 16, context).embeddings, atol=0.1)
    ready = [teacher.ready(context) for teacher in teachers]
    seen: list[Tensor] = []
    loss = Wanted(seen)
    live = LiveTeachers(Comparison(loss, nn.Identity()), nn.Identity(), ready, wanted.reduction, CONTRACT)
    images = to_input(torch.from_numpy(faces.images[:4]).permute(0, 3, 1, 2), CONTRACT)
    live(lambda x: torch.zeros(len(x), 16), Batch(images, torch.arange(4), torch.arange(4)))
    assert torch.allclose(seen[0], wanted.embeddings[:4], atol=1e-4)


def test_both_flips_give_the_same_embedding(teachers: tuple[Teacher, Teacher], faces: Faces) -> None:
    net = teachers[0].net()
    images = torch.from_numpy(faces.images[:4]).permute(0, 3, 1, 2).float()
    # the two sums add the same numbers in another order: float32 rounding of unit vectors
    assert torch.allclose(embed_both_flips(net, CONTRACT, images), embed_both_flips(net, CONTRACT, images.flip(3)), atol=1e-6)


def test_embeddings_are_kept_by_content(teachers: tuple[Teacher, Teacher], faces: Faces, tmp_path: Path) -> None:
    context = Context(tmp_path, progress=Progress(quiet=True))
    first = kept_embeddings(teachers[0], faces, context)
    (stored,) = (tmp_path / "teachers").glob("*.npy")
    stamp = stored.stat().st_mtime_ns
    assert np.array_equal(kept_embeddings(teachers[0], faces, context), first) and stored.stat().st_mtime_ns == stamp
    kept_embeddings(teachers[0], faces.subset(range(10)), context)
    kept_embeddings(teachers[1], faces, context)
    assert len(list((tmp_path / "teachers").glob("*.npy"))) == 3


def test_a_missing_teacher_is_said_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="POCKETFACE_DATA"):
        Teacher(Path("weights/none.onnx"), CONTRACT).read()


WAYS: dict[str, dict[str, object]] = {
    "cached": {},
    "by distance": {"by": FeatureConsistency(form="l2")},
    "fixed views": {"views": 1},
    "live": {"live": True, "mixup": 0.2},
    "live, with maps": {"live": True, "cut": 0.3, "maps": 0.1},
    "similarity, the last layer solved first": {"by": SimilarityConsistency(others=40), "refit": 48},
}


@pytest.mark.parametrize("way", WAYS)
def test_a_student_comes_nearer_to_its_teachers(teachers: tuple[Teacher, Teacher], faces: Faces, tmp_path: Path, way: str) -> None:
    torch.manual_seed(5)
    backbone = MobileFaceNet(width=0.125, embedding_size=16)
    model = Model(backbone.build(), backbone.input)
    context = Context(tmp_path, faces=faces, aside=faces.subset(range(8)), progress=Progress(quiet=True))
    settings = TrainSettings(phases=(Phase(24, 64, 3e-3),), batch=16, augment=Augment(rotation_degrees=0, erase=0), validate_every=24)
    stage = Distill(teachers, settings, **WAYS[way])  # type: ignore[arg-type]
    before = model.fingerprint()
    result = stage.apply(model, context)
    wanted = targets(teachers, faces, 16, context).embeddings
    images = torch.from_numpy(faces.images).permute(0, 3, 1, 2)
    near = [float((item.embed(images) * wanted).sum(1).mean()) for item in (model, result)]
    assert near[1] > near[0] + 0.1
    assert model.fingerprint() == before
    assert '"aside_cosine"' in (tmp_path / "distill.jsonl").read_text()


def test_live_teachers_give_embeddings_of_length_1_as_kept_ones_do(teachers: tuple[Teacher, Teacher], faces: Faces, tmp_path: Path) -> None:
    context = Context(tmp_path, progress=Progress(quiet=True))
    reduction = targets(teachers, faces, 16, context).reduction  # of 32: part of every embedding is cut off
    student, seen = MobileFaceNet(width=0.125, embedding_size=16).build(), list[Tensor]()
    live = LiveTeachers(
        Comparison(Wanted(seen), nn.Identity()), student, [teacher.ready(context) for teacher in teachers], reduction, CONTRACT
    )
    images = to_input(torch.from_numpy(faces.images[:4]).permute(0, 3, 1, 2), CONTRACT)
    live(student, Batch(images, torch.arange(4), torch.arange(4)))
    assert seen[0].norm(dim=1).tolist() == pytest.approx([1] * 4, abs=1e-6)


def test_the_last_layer_is_solved_before_the_first_step(teachers: tuple[Teacher, Teacher], faces: Faces, tmp_path: Path) -> None:
    """With a rate of next to nothing what is left is the closed form: a net at random comes nearer to its teachers by it."""
    backbone = MobileFaceNet(width=0.125, embedding_size=16)
    torch.manual_seed(5)
    model = Model(settled(backbone.build(), 5), backbone.input)
    context = Context(tmp_path, tmp_path, faces=faces, progress=Progress(quiet=True))
    wanted = targets(teachers, faces, 16, context, even=0.5).embeddings
    images = torch.from_numpy(faces.images).permute(0, 3, 1, 2)
    near = []
    for refit in (0, 48):
        stage = Distill(teachers, TrainSettings((Phase(1, 112, 1e-9),), batch=8), even=0.5, refit=refit)
        solved = stage.apply(model, dataclasses.replace(context, work=tmp_path / str(refit)))
        near.append(float((solved.embed(images) * wanted).sum(1).mean()))
    assert near[1] > near[0] + 0.2


@pytest.mark.parametrize(
    "wrong", [{"even": 1.5}, {"even": -0.1}, {"refit": -1}, {"refit": 8, "projection": True}, {"refit": 8, "views": 1}]
)
def test_what_cannot_be_evened_or_solved_is_refused(teachers: tuple[Teacher, Teacher], wrong: dict[str, object]) -> None:
    with pytest.raises(RecipeError, match="^Distill: (expected even in 0..1 and refit >= 0|refit solves)"):
        Distill(teachers, TrainSettings((Phase(1),)), **wrong)  # type: ignore[arg-type]


def test_live_distillation_depends_on_its_seed_alone(teachers: tuple[Teacher, Teacher], faces: Faces, tmp_path: Path) -> None:
    backbone = MobileFaceNet(width=0.125, embedding_size=16)
    model = Model(backbone.build(), backbone.input)
    stage = Distill(teachers, TrainSettings((Phase(1, 32),), batch=8), live=True, maps=0.1)
    found = []
    for run in range(2):
        torch.manual_seed(run)
        context = Context(tmp_path / str(run), tmp_path, faces=faces.subset(range(8)), progress=Progress(quiet=True))
        found.append(stage.apply(model, context).fingerprint())
    assert found[0] == found[1]


def test_elimination_finds_the_best_subset_of_a_small_problem() -> None:
    """Against every subset: 6 regressors of which 3 make the targets."""
    torch.manual_seed(2)
    a = torch.randn(100, 6, dtype=torch.float64)
    y = a[:, [1, 2, 5]] @ torch.randn(3, 2, dtype=torch.float64) + 0.01 * torch.randn(100, 2, dtype=torch.float64)

    def error(rows: list[int]) -> float:
        return float((a[:, rows] @ torch.linalg.lstsq(a[:, rows], y).solution - y).square().sum())

    best = min((list(rows) for rows in itertools.combinations(range(6), 3)), key=error)
    rows, fit = eliminate(a.T @ a, a.T @ y, 3, 0.0)
    assert rows.tolist() == best
    assert torch.allclose(fit.double(), torch.linalg.lstsq(a[:, best], y).solution, atol=1e-6)


def test_a_narrow_net_inherits_more_than_it_has_at_random(faces: Faces, tmp_path: Path) -> None:
    torch.manual_seed(7)
    wide = exported(settled(MobileFaceNet(width=0.25, embedding_size=16).build(), 0), tmp_path / "wide.onnx")
    backbone = MobileFaceNet(width=0.125, embedding_size=16)
    model = Model(backbone.build(), backbone.input)
    context = Context(tmp_path, faces=faces, progress=Progress(quiet=True))
    result = Inherit(wide, (wide,), faces=40).apply(model, context)
    wanted = targets((wide,), faces, 16, context).embeddings
    images = torch.from_numpy(faces.images).permute(0, 3, 1, 2)
    near = [float((item.embed(images) * wanted).sum(1).mean()) for item in (model, result)]
    assert near[1] > near[0] + 0.2
    with pytest.raises(RecipeError, match="Inherit"):
        relu = MobileFaceNet(width=0.125, embedding_size=16, activation="relu")
        Inherit(wide, (wide,)).apply(Model(relu.build(), relu.input), context)


def test_a_projection_leaves_the_student_its_own_size_and_its_cosines_come_to_be_the_teachers(
    teachers: tuple[Teacher, Teacher], faces: Faces, tmp_path: Path
) -> None:
    """Eight numbers for the teachers' 32: through the projection the student learns how alike the teachers find two faces."""
    torch.manual_seed(5)
    backbone = MobileFaceNet(width=0.125, embedding_size=8)
    model = Model(backbone.build(), backbone.input)
    settings = TrainSettings(phases=(Phase(40, 64, 3e-3),), batch=16, augment=Augment(rotation_degrees=0, erase=0))
    context = Context(tmp_path, faces=faces, aside=faces.subset(range(8)), progress=Progress(quiet=True))
    result = Distill(teachers, settings, projection=True).apply(model, context)
    assert {name: value.shape for name, value in result.net.state_dict().items()} == {
        name: value.shape for name, value in model.net.state_dict().items()
    }
    wanted = targets(teachers, faces, None, context).embeddings
    assert wanted.shape == (48, 32)
    # What a linear map makes of the student's embeddings must say more of the teachers' than it could of the fresh net's.
    images = torch.from_numpy(faces.images).permute(0, 3, 1, 2)
    near = []
    for item in (model, result):
        given = item.embed(images)
        fitted = given @ torch.linalg.lstsq(given, wanted).solution
        near.append(float(nn.functional.cosine_similarity(fitted, wanted, dim=1).mean()))
    assert near[1] > near[0]


@pytest.mark.parametrize("by", [SimilarityConsistency(others=24), FeatureConsistency(), CorrelationCongruence(), ExclusivityConsistency()])
def test_behind_a_projection_each_consistency_compares_as_many_numbers_as_the_teachers_have(
    teachers: tuple[Teacher, Teacher], faces: Faces, tmp_path: Path, by: Consistency
) -> None:
    backbone = MobileFaceNet(width=0.125, embedding_size=8)
    model = Model(backbone.build(), backbone.input)
    context = Context(tmp_path, faces=faces, progress=Progress(quiet=True))
    result = Distill(teachers[:1], TrainSettings((Phase(1, 32),), batch=16), by=by, projection=True).apply(model, context)
    assert result.fingerprint() != model.fingerprint()


def test_teachers_of_fewer_numbers_than_the_student_are_refused(teachers: tuple[Teacher, Teacher], faces: Faces, tmp_path: Path) -> None:
    backbone = MobileFaceNet(width=0.125, embedding_size=40)
    model = Model(backbone.build(), backbone.input)
    context = Context(tmp_path, faces=faces, progress=Progress(quiet=True))
    said = "^expected teachers that give the student's 40 numbers or more, together, got 32; .* embedding_size=32, or .*projection=True"
    for stage in (Distill(teachers, TrainSettings((Phase(1, 32),), batch=16)), Inherit(teachers[0], teachers)):
        with pytest.raises(RecipeError, match=said):
            stage.apply(model, context)


@pytest.mark.parametrize("bad", [{"teachers": ()}, {"faces": 1}, {"ridge": 0.0}])
def test_settings_to_inherit_by_that_make_no_sense_are_refused(teachers: tuple[Teacher, Teacher], bad: dict[str, object]) -> None:
    with pytest.raises(RecipeError, match="^Inherit: expected"):
        Inherit(**{"wide": teachers[0], "teachers": teachers, **bad})  # type: ignore[arg-type]


def test_probabilities_are_taken_over_from_a_teacher_that_is_trained_once_on_the_same_people(faces: Faces, tmp_path: Path) -> None:
    people = Faces(faces.images, tuple(f"p{row % 6}/{row}.png" for row in range(42)) + tuple(f"unlabelled/{row}.png" for row in range(6)))
    settings = TrainSettings(phases=(Phase(8, 32, 3e-3),), batch=14)
    teacher = TrainedTeacher(MobileFaceNet(width=0.25, embedding_size=12), Train(ArcFace(scale=16), settings))
    torch.manual_seed(5)
    backbone = MobileFaceNet(width=0.125, embedding_size=16)
    model = Model(backbone.build(), backbone.input)
    context = Context(tmp_path / "work", tmp_path / "shared", faces=people, progress=Progress(quiet=True))
    asked = teacher.ready(context)
    assert asked.classifier is not None and (asked.input.height, asked.input.width) == (32, 32)
    (kept,) = (tmp_path / "shared" / "teachers").glob("*/train.safetensors")
    stamp = kept.stat().st_mtime_ns
    result = Distill((teacher,), settings, by=ProbabilityConsistency()).apply(model, context)
    assert kept.stat().st_mtime_ns == stamp, "what was trained is not trained again"
    assert result.fingerprint() != model.fingerprint() and result.net.state_dict().keys() == model.net.state_dict().keys()
    again = teacher.ready(context)
    assert again.key == asked.key and all(map(torch.equal, again.net().state_dict().values(), asked.net().state_dict().values()))
    with pytest.raises(RecipeError, match="ProbabilityConsistency needs one teacher"):
        Distill((teacher, teacher), settings, by=ProbabilityConsistency())


OUT_OF_RANGE: list[dict[str, object]] = [{"views": -1}, {"mixup": -1}, {"mixup": math.nan}, {"cut": 3}, {"maps": -1}, {"maps": math.inf}]


@pytest.mark.parametrize(
    "bad",
    [
        {"teachers": ()},
        {"live": True, "views": 2},
        {"mixup": 0.5},
        {"maps": 0.5},
        *({"live": "views" not in bad, **bad} for bad in OUT_OF_RANGE),
    ],
)
def test_settings_that_make_no_sense_are_refused(bad: dict[str, object]) -> None:
    with pytest.raises(RecipeError, match="Distill"):
        Distill(**{"teachers": (Teacher(Path("t.onnx"), CONTRACT),), "settings": TrainSettings(phases=(Phase(1),)), **bad})  # type: ignore[arg-type]
