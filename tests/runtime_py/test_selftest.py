from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from runtime_py.bundle import Bundle
from runtime_py.container import MANIFEST
from runtime_py.selftest import Check, selftest
from tests.face_bundle import write_face_bundle
from tests.runtime_py.changed import members
from toolchain.data.png import png
from toolchain.pack.writer import write_bundle


def failed(path: Path, change: object = None, blobs: object = None) -> dict[str, Check]:
    """Names of the checks that fail once a bundle's manifest and blobs are changed (and sealed anew)."""
    parts = dict(members(path.read_bytes()))
    manifest = json.loads(parts.pop(MANIFEST))
    if change is not None:
        change(manifest)
    if blobs is not None:
        blobs(parts)
    other = path.with_name("other.pface")
    write_bundle(other, manifest, parts)
    return {check.name: check for check in selftest(Bundle.open(other)) if not check.passed}


def test_an_honest_bundle_passes_every_check(face_bundle: Path) -> None:
    checks = selftest(Bundle.open(face_bundle))
    assert all(check.passed for check in checks), checks
    # 4 faces in 3 photographs: found, aligned and made a tensor each; 3 variants.
    assert len(checks) == 3 * 4 + 3


def test_a_key_point_that_is_elsewhere_is_told(face_bundle: Path) -> None:
    def change(manifest: dict) -> None:
        manifest["golden"]["images"][0]["faces"][0]["key_points"][5][0] += 0.5  # an ear: the crop does not depend on it

    checks = failed(face_bundle, change)
    assert list(checks) == ["detect golden/photo-0.png#0"] and "0.5" in checks["detect golden/photo-0.png#0"].detail


def test_another_template_is_told_by_every_crop(face_bundle: Path) -> None:
    def change(manifest: dict) -> None:
        manifest["preprocessing"]["templates"][0]["points"][0]["x"] += 2

    assert [name.split()[0] for name in failed(face_bundle, change)] == ["align"] * 4


def test_the_wrong_colour_order_is_told_by_tensors_and_embeddings(face_bundle: Path) -> None:
    def change(manifest: dict) -> None:
        manifest["preprocessing"]["input"]["color"] = "bgr"

    assert [name.split()[0] for name in failed(face_bundle, change)] == ["tensor"] * 4 + ["embed"] * 3


def test_another_scale_is_told_by_tensors(face_bundle: Path) -> None:
    def change(manifest: dict) -> None:
        manifest["preprocessing"]["input"]["scale"] *= 1.001

    assert {name.split()[0] for name in failed(face_bundle, change)} == {"tensor"}


def test_other_embeddings_are_told_for_their_variant(face_bundle: Path) -> None:
    def blobs(parts: dict) -> None:
        rows = np.frombuffer(parts["golden/int8.f32"], "<f4").copy()
        parts["golden/int8.f32"] = (rows + 0.1).astype("<f4").tobytes()

    assert list(failed(face_bundle, blobs=blobs)) == ["embed int8"]


def test_a_photograph_without_its_faces_is_told(face_bundle: Path) -> None:
    def blobs(parts: dict) -> None:
        parts["golden/photo-1.png"] = png(np.zeros((230, 333, 3), np.uint8))

    checks = failed(face_bundle, blobs=blobs)
    assert checks["detect golden/photo-1.png"].detail == "expected 1 faces, found 0"


def test_a_golden_image_that_is_none_and_points_that_coincide_are_checks_that_failed(face_bundle: Path) -> None:
    def photo(parts: dict) -> None:
        parts["golden/photo-0.png"] = b"not an image"

    assert [name for name in failed(face_bundle, blobs=photo)] == ["detect golden/photo-0.png"]

    def coincide(manifest: dict) -> None:
        face = manifest["golden"]["images"][0]["faces"][0]
        face["key_points"] = [[1, 1]] * len(face["key_points"])

    assert [name.split()[0] for name in failed(face_bundle, coincide)] == ["detect", "align"]

    def crops(parts: dict) -> None:
        parts.update({name: b"not an image" for name in parts if "-face-" in name})

    assert [name.split()[0] for name in failed(face_bundle, blobs=crops)] == ["align"] * 4 + ["crops"]


def test_a_bundle_without_a_detector_is_tested_from_its_crops_on(tmp_path: Path) -> None:
    path = tmp_path / "bare.pface"
    write_face_bundle(path, detector=False)
    checks = selftest(Bundle.open(path))
    assert [check.name.split()[0] for check in checks] == ["tensor"] * 4 + ["embed"] * 3 and all(check.passed for check in checks)
