"""The parts of packaging that need no Java."""

from __future__ import annotations

import os
import struct
import zipfile
from pathlib import Path
from xml.etree import ElementTree

import pytest

from toolchain.android import artefacts, class_files, elf, tools
from toolchain.android.archive import PAGE, Entry, archive, data_offset
from toolchain.android.proofs import maven_tests
from toolchain.android.sign import Key
from toolchain.android.sources import Sources
from toolchain.cli import main
from toolchain.errors import PackagingError

ROOT = Path(__file__).parents[3]
POM = "{http://maven.apache.org/POM/4.0.0}"


def test_an_archive_follows_from_its_entries_and_aligns_what_is_stored(tmp_path: Path) -> None:
    entries = [Entry("odd", b"x" * 7), Entry("mapped", b"y" * 100_001, PAGE), Entry("lib/mapped too", b"z", PAGE), Entry("ä", b"", 4)]
    assert archive(entries) == archive(entries)
    path = tmp_path / "made.zip"
    path.write_bytes(archive(entries))
    with zipfile.ZipFile(path) as opened:
        assert opened.testzip() is None
        assert {item.filename: opened.read(item) for item in opened.infolist()} == {entry.name: entry.data for entry in entries}
        for entry, item in zip(entries, opened.infolist(), strict=True):
            assert item.compress_type == (zipfile.ZIP_STORED if entry.alignment else zipfile.ZIP_DEFLATED)
            assert data_offset(path, item) % (entry.alignment or 1) == 0


def test_an_archive_holds_no_name_twice() -> None:
    with pytest.raises(PackagingError, match="a: expected each file once"):
        archive([Entry("a", b""), Entry("b", b""), Entry("a", b"")])


def class_file(version: int, *constants: bytes) -> bytes:
    """As much of a class file as is looked at. A long takes two numbers."""
    count = 1 + sum(2 if constant[0] == 5 else 1 for constant in constants)
    return b"\xca\xfe\xba\xbe" + struct.pack(">HHH", 0, version, count) + b"".join(constants)


def test_class_files_of_java_8_without_run_time_links_may_become_dex() -> None:
    text, long = b"\1\0\3abc", b"\5" + bytes(8)
    class_files.check("Plain.class", class_file(52, text, long, b"\7\0\1"))
    with pytest.raises(PackagingError, match="Late.class: expected a class file of Java 8 at most"):
        class_files.check("Late.class", class_file(53, text))
    with pytest.raises(PackagingError, match="Lambda.class: expected no invokedynamic"):
        class_files.check("Lambda.class", class_file(52, text, long, b"\x12\0\0\0\0"))


def test_a_library_states_its_processor_and_its_alignment() -> None:
    header = b"\x7fELF\2\1" + bytes(10) + struct.pack("<HHIQQQIHHH", 3, 183, 1, 0, 64, 0, 0, 64, 56, 2)
    library = header.ljust(64, b"\0") + b"".join(struct.pack("<II40xQ", kind, 0, align) for kind, align in ((1, PAGE), (2, 8)))
    assert elf.load_alignments(library, "a.so", "arm64-v8a") == (PAGE,)
    with pytest.raises(PackagingError, match="expected a library for x86_64"):
        elf.load_alignments(library, "a.so", "x86_64")
    with pytest.raises(PackagingError, match="expected a 64-bit ELF library"):
        elf.load_alignments(b"\x7fELF\1" + bytes(80), "a.so", "arm64-v8a")


def test_the_maven_build_uses_the_same_versions() -> None:
    pom = ElementTree.parse(ROOT / "android_demo/pom.xml").getroot()
    stated = {item.tag.removeprefix(POM): item.text for item in pom.find(f"{POM}properties") or ()}
    pinned = {"tflite": artefacts.TFLITE, "javacpp": artefacts.JAVACPP, "annotations": artefacts.NULLABILITY}
    pinned |= {"minimal-json": artefacts.JSON, "android-all": artefacts.ANDROID}
    assert {name: stated[f"{name}.version"] for name in pinned} == {name: item.version for name, item in pinned.items()}
    app = (ROOT / "android_demo/app/pom.xml").read_text()
    assert f"<apktool.version>{artefacts.APKTOOL.version}<" in app


def test_every_missing_program_is_named_with_its_package() -> None:
    assert set(tools.missing(["python3-of-nobody"])) == {"python3-of-nobody"}
    with pytest.raises(PackagingError, match=r"^an APK needs apksigner, zipalign: .* apt-get install apksigner zipalign$") as error:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("PATH", "")
            tools.require(["apksigner", "zipalign"], "an APK")
    assert "\n" not in str(error.value)


def test_a_failed_program_is_one_line_with_its_own_reason() -> None:
    with pytest.raises(PackagingError, match=r"^listing: ls failed with 2: .*no-such-file.*$"):
        tools.run(["ls", "no-such-file"], "listing")


def test_a_keystore_needs_a_password_that_stands_on_no_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    keystore = tmp_path / "own.p12"
    keystore.touch()
    for password, message in {
        "pass:secret": "expected env:NAME or file:PATH, got pass:",
        "env:POCKETFACE_NOT_SET": "expected the environment variable POCKETFACE_NOT_SET",
        f"file:{tmp_path}/none": "expected a file",
    }.items():
        with pytest.raises(PackagingError, match=message) as error:
            Key(keystore, password)
        assert "secret" not in str(error.value)
    assert main(["apk", "face.pface", "--out", "demo.apk", "--keystore", str(keystore)]) == 2
    assert "--keystore-password: expected both or neither" in capsys.readouterr().err


def test_results_of_maven_tests_count_only_for_the_sources_they_ran_on(tmp_path: Path) -> None:
    sources = Sources(tmp_path)
    for part in maven_tests.PARTS:
        (tmp_path / part / "src").mkdir(parents=True)
        (tmp_path / part / "src" / "A.java").touch()
    assert [proof.ran for proof in maven_tests.read(sources)] == [False, False]
    for part, failures in {"sdk": 0, "app": 1}.items():
        results = tmp_path / part / "target" / "surefire-reports"
        results.mkdir(parents=True)
        (results / "TEST-A.xml").write_text(f'<testsuite tests="3" skipped="1" errors="0" failures="{failures}"/>')
    with pytest.raises(PackagingError, match="app: expected its Maven tests to pass, 1 of 3 failed"):
        maven_tests.read(sources)
    (tmp_path / "app/target/surefire-reports/TEST-A.xml").write_text('<testsuite tests="3" skipped="1" errors="0" failures="0"/>')
    assert [(proof.ran, proof.found) for proof in maven_tests.read(sources)] == [(True, "2 Maven tests passed, 1 left out")] * 2
    now = (tmp_path / "app/target/surefire-reports/TEST-A.xml").stat().st_mtime
    # What is changed, and whether the tests of the SDK and of the app, which run the SDK, still count.
    for changed, ran in {"sdk/src/A.java": [False, False], "app/src/A.java": [True, False], "pom.xml": [False, False]}.items():
        (tmp_path / changed).touch()
        os.utime(tmp_path / changed, (now + 5, now + 5))
        assert [proof.ran for proof in maven_tests.read(sources)] == ran
        os.utime(tmp_path / changed, (now - 5, now - 5))


def test_a_bundle_that_is_damaged_becomes_no_app(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "bad.pface").write_bytes(b"no bundle")
    assert main(["apk", str(tmp_path / "bad.pface"), "--out", str(tmp_path / "demo.apk"), "--cache", str(tmp_path / "cache")]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert not (tmp_path / "demo.apk").exists()
