"""The app: what is in it, that it is what it must be, and that what is in it computes what it must."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from runtime_py.bundle import Bundle
from tests.toolchain.android.conftest import Made, make
from toolchain.android import apk, artefacts, code, tools
from toolchain.android.archive import PAGE, Entry, archive
from toolchain.android.artefacts import APKTOOL
from toolchain.android.bionic.build import PROGRAMS as EMULATION
from toolchain.android.class_files import jar_of
from toolchain.android.compile import compile_java
from toolchain.android.proofs import api_level, arm64, dex_on_jvm
from toolchain.android.resources import Aapt2
from toolchain.android.sign import Key, debug_key, sign
from toolchain.android.verify import BUNDLE, LEAST_SDK, Expected, verify
from toolchain.errors import PackagingError
from toolchain.pack.writer import write_bundle
from toolchain.progress import Progress

QUIET = Progress(quiet=True)


def test_a_bundle_becomes_an_app_that_passed_every_check(made: Made) -> None:
    found = {check["name"]: check["found"] for check in made.report["checks"]}
    assert list(found) == ["badging", "permissions", "privacy", "assets", "dex", "libraries", "signature"]
    assert found["permissions"] == "android.permission.CAMERA"
    assert found["badging"].startswith("org.pocketface.demo, ") and found["badging"].endswith("SDK 26 to 35, arm64-v8a")
    assert hashlib.sha256(made.bundle.read_bytes()).hexdigest() in found["assets"]
    assert made.report["sha256"] == hashlib.sha256(made.apk.read_bytes()).hexdigest()
    assert made.report["debug_key"] is True
    assert json.loads(made.apk.with_suffix(".report.json").read_text()) == made.report
    assert sorted(path.name for path in made.apk.parent.iterdir()) == ["cache", "demo.apk", "demo.report.json"]


def test_its_own_dex_and_its_own_library_gave_the_golden_vectors(made: Made) -> None:
    proofs = {proof["name"]: proof for proof in made.report["proofs"]}
    assert list(proofs) == ["api-level", "jvm-goldens", "screens", "dex-on-jvm", "arm64"], "each is named, whether it ran or not"
    assert proofs["api-level"]["ran"] and proofs["dex-on-jvm"]["ran"]
    # Four faces: a detection, a crop and a tensor each, and the three variants.
    assert proofs["dex-on-jvm"]["found"] == "15 checks of the self-test passed, 3 variants among them"
    if tools.missing(EMULATION):
        assert not proofs["arm64"]["ran"] and "apt-get install" in proofs["arm64"]["found"]
    else:
        assert proofs["arm64"]["ran"]
        assert [part.split()[0] for part in proofs["arm64"]["found"].split("; ")] == ["float", "int8", "packed", "detector"]


def test_the_unsigned_app_is_the_same_bytes_again_and_the_debug_key_stays(made: Made, tmp_path: Path) -> None:
    again = make(made.bundle, tmp_path / "again.apk", made.cache)
    assert again["unsigned_sha256"] == made.report["unsigned_sha256"]
    assert again["checks"][-1] == made.report["checks"][-1], "the same certificate"
    assert [proof["ran"] for proof in again["proofs"] if proof["name"] in ("dex-on-jvm", "arm64")] == [False, False]


TAMPERED: dict[str, tuple[Callable[[Entry], Entry], str]] = {
    "bundle": (lambda entry: replace(entry, data=entry.data[:-1] + b"!") if entry.name == BUNDLE else entry, "the bytes of the bundle"),
    "unaligned-bundle": (lambda entry: replace(entry, alignment=4) if entry.name == BUNDLE else entry, "stored at a multiple of 16384"),
    "deflated-library": (
        lambda entry: replace(entry, alignment=0) if entry.name.startswith("lib/") else entry,
        "stored at a multiple of 16384",
    ),
    "second-asset": (lambda entry: replace(entry, name="assets/x") if entry.name.startswith("org/") else entry, "assets: expected"),
    "dex": (lambda entry: replace(entry, data=b"dex\n039\0") if entry.name == code.CLASSES else entry, "a version that API 26 reads"),
    "library": (
        lambda entry: replace(entry, data=entry.data[:18] + b"\x3e" + entry.data[19:]) if ".so" in entry.name else entry,
        "e_machine",
    ),
}


@pytest.mark.parametrize("name", TAMPERED)
def test_an_app_that_is_not_what_it_must_be_is_refused(made: Made, tmp_path: Path, name: str) -> None:
    tamper, message = TAMPERED[name]
    with zipfile.ZipFile(made.apk) as opened:
        stored = [item.compress_type == zipfile.ZIP_STORED for item in opened.infolist()]
        alignments = [PAGE if item.filename.startswith(("lib/", "assets/")) else 4 for item in opened.infolist()]
        names = opened.namelist()
        entries = [
            Entry(item, opened.read(item), alignment if kept else 0)
            for item, alignment, kept in zip(names, alignments, stored, strict=True)
        ]
    changed = [tamper(entry) for entry in entries]
    if name == "unaligned-bundle":
        # One file of odd length before it.
        changed.insert(-1, Entry("odd", b"odd", 1))
    apk = tmp_path / "tampered.apk"
    apk.write_bytes(archive(changed))
    aapt2 = Aapt2.unpack(artefacts.fetch([APKTOOL], QUIET)[APKTOOL], made.cache / "android")
    with pytest.raises(PackagingError, match=message):
        verify(apk, Expected("org.pocketface.demo", ("arm64-v8a",), made.bundle.read_bytes()), aapt2, tmp_path)


@pytest.fixture(scope="module")
def wrong_bundle(face_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same bundle whose golden embeddings are the faces' in another order."""
    bundle = Bundle.open(face_bundle)
    blobs = {file.path: bytes(bundle.blob(file.path)) for file in bundle.manifest.files}
    for variant in bundle.manifest.variants:
        half = len(blobs[variant.golden]) // 2
        blobs[variant.golden] = bundle.blob(variant.golden)[half:].tobytes() + bundle.blob(variant.golden)[:half].tobytes()
    path = tmp_path_factory.mktemp("wrong") / "wrong.pface"
    write_bundle(path, json.loads(bundle.manifest_text()), blobs)
    return path


def test_the_proof_of_the_dex_fails_where_the_golden_vectors_are_others(made: Made, wrong_bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(PackagingError, match="embed float: cosine"):
        dex_on_jvm.prove(made.apk, wrong_bundle, artefacts.fetch(dex_on_jvm.ARTEFACTS, QUIET), tmp_path)


@pytest.mark.skipif(bool(tools.missing(EMULATION)), reason="no emulator or no cross-compiler")
def test_the_proof_of_the_library_fails_where_the_golden_vectors_are_others(made: Made, wrong_bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(PackagingError, match="variant float: expected the APK's arm64 library to give the golden embeddings"):
        arm64.prove(made.apk, Bundle.open(wrong_bundle), tmp_path)


def test_a_name_that_api_26_lacks_is_refused(programs: None, tmp_path: Path) -> None:
    fetched = artefacts.fetch([*code.SDK, *api_level.ARTEFACTS], QUIET)
    # WindowMetrics came with API 30.
    source = tmp_path / "Later.java"
    source.write_text("class Later { int width(android.view.WindowMetrics metrics) { return metrics.getBounds().width(); } }")
    compile_java([source], [fetched[artefact] for artefact in code.SDK], tmp_path / "classes")
    with pytest.raises(PackagingError, match="android.view.WindowMetrics"):
        api_level.prove(fetched, [tmp_path / "classes"])


def test_a_lambda_is_refused_before_dx_sees_it(programs: None, tmp_path: Path) -> None:
    source = tmp_path / "Lambda.java"
    source.write_text("class Lambda { Runnable made() { return () -> { }; } }")
    compile_java([source], [], tmp_path / "classes")
    with pytest.raises(PackagingError, match="Lambda.class: expected no .*; write the lambda out as a class"):
        jar_of([tmp_path / "classes"])


def test_a_keystore_that_cannot_be_read_is_named(programs: None, tmp_path: Path) -> None:
    keystore, password = tmp_path / "own.p12", tmp_path / "password"
    keystore.write_bytes(b"no keystore")
    password.write_text("android\n")
    with pytest.raises(PackagingError, match=r"^signing the APK with a key of .*own\.p12: apksigner failed with 2: "):
        sign(tmp_path / "unsigned.apk", tmp_path / "signed.apk", Key(keystore, f"file:{password}"), LEAST_SDK)


def test_a_wrong_password_or_alias_shows_before_anything_is_compiled(
    programs: None, face_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(artefacts, "fetch", lambda *_: pytest.fail("fetched"))
    own = debug_key(tmp_path)
    (tmp_path / "wrong").write_text("another\n")
    for key, reason in (
        (Key(own.keystore, f"file:{tmp_path}/wrong", "debug"), "password was incorrect"),
        (Key(own.keystore, own.password, "other"), 'entry "other" does not contain a key'),
    ):
        with pytest.raises(PackagingError, match=reason):
            apk.build_apk(apk.ApkOrder(face_bundle, tmp_path / "own.apk", ("arm64-v8a",), key, False, tmp_path))
    assert not list(tmp_path.glob("own.*"))


def test_a_key_of_ones_own_signs_an_app_for_phones_and_emulators(made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = debug_key(tmp_path).keystore.rename(tmp_path / "own.p12")
    monkeypatch.setenv("OWN", "android")
    options = ("--x86-64", "--keystore", str(own), "--keystore-password", "env:OWN", "--key-alias", "debug")
    report = make(made.bundle, tmp_path / "own.apk", made.cache, *options)
    found = {check["name"]: check["found"] for check in report["checks"]}
    assert found["badging"].endswith("SDK 26 to 35, arm64-v8a x86_64") and found["libraries"].startswith("4 stored")
    assert report["debug_key"] is False
    assert found["signature"] != made.report["checks"][-1]["found"], "another certificate than the debug key's"
