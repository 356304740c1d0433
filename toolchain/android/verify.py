"""What every APK is checked for before it gets its name, by looking into the signed file itself."""

from __future__ import annotations

import hashlib
import re
import zipfile
from dataclasses import dataclass
from pathlib import Path

from toolchain.android import elf, tools
from toolchain.android.archive import PAGE, data_offset
from toolchain.android.code import CLASSES
from toolchain.android.resources import Aapt2
from toolchain.errors import PackagingError

LEAST_SDK, TARGET_SDK = 26, 35
PERMISSIONS = {"android.permission.CAMERA"}
BUNDLE = "assets/model.pface"
_DEX_MAGICS = (b"dex\n035\0", b"dex\n037\0", b"dex\n038\0")  # what API 26 reads


@dataclass(frozen=True)
class Expected:
    """What an APK must be: its package, the processors that it has libraries for, and the bytes of its bundle."""

    package: str
    abis: tuple[str, ...]
    bundle: bytes


@dataclass(frozen=True)
class Check:
    """One thing that was looked at, and what was found."""

    name: str
    found: str


def verify(apk: Path, expected: Expected, aapt2: Aapt2, work: Path) -> tuple[Check, ...]:
    """Every check, or PackagingError for the first that fails."""
    return (
        _badging(aapt2.dump(["badging"], apk), expected),
        _permissions(aapt2.dump(["permissions"], apk)),
        _privacy(aapt2.dump(["xmltree", "--file", "AndroidManifest.xml"], apk)),
        *_content(apk, expected, work),
        _signature(tools.run(["apksigner", "verify", "--verbose", "--print-certs", "--min-sdk-version", str(LEAST_SDK), apk], "verifying")),
    )


def _require(well: bool, what: str, wanted: object, got: object) -> None:
    if not well:
        raise PackagingError(f"APK: {what}: expected {wanted}, got {got}; it was not written")


def _badging(text: str, expected: Expected) -> Check:
    """The package, the least and the target version of Android, a label, an activity to start, the processors."""
    facts = {
        "package": _one(r"^package: name='([^']*)'", text),
        "least SDK": _one(r"^(?:minSdkVersion|sdkVersion):'(\d+)'", text),
        "target SDK": _one(r"^targetSdkVersion:'(\d+)'", text),
        "processors": " ".join(sorted(re.findall(r"'([^']*)'", _one(r"^native-code:(.*)$", text)))),
    }
    wanted = {
        "package": expected.package,
        "least SDK": str(LEAST_SDK),
        "target SDK": str(TARGET_SDK),
        "processors": " ".join(sorted(expected.abis)),
    }
    for name, value in wanted.items():
        _require(facts[name] == value, name, value, facts[name])
    label = _one(r"^application-label:'([^']+)'", text)
    activity = _one(r"^launchable-activity: name='([^']*)'", text)
    _require(bool(label and activity), "badging", "a label and an activity to start", text.strip()[:80])
    _require("application-debuggable" not in text, "badging", "an app that is not debuggable", "application-debuggable")
    return Check("badging", f"{facts['package']}, {label}, SDK {LEAST_SDK} to {TARGET_SDK}, {facts['processors']}")


def _permissions(text: str) -> Check:
    named = set(re.findall(r"^uses-permission[^:]*: name='([^']*)'", text, re.MULTILINE))
    _require(named == PERMISSIONS, "permissions", ", ".join(sorted(PERMISSIONS)), ", ".join(sorted(named)) or "none")
    _require(not re.search(r"^permission:", text, re.MULTILINE), "permissions", "none defined", text.strip()[:80])
    return Check("permissions", ", ".join(sorted(named)))


def _privacy(tree: str) -> Check:
    """Nothing of the app leaves the phone by a backup or a transfer to another phone."""
    _require(re.search(r"allowBackup\([^)]*\)=false", tree) is not None, "manifest", "allowBackup false", "another value or none")
    _require("dataExtractionRules(" in tree, "manifest", "dataExtractionRules", "none")
    return Check("privacy", "allowBackup false, dataExtractionRules given")


def _content(apk: Path, expected: Expected, work: Path) -> tuple[Check, ...]:
    """What lies in the zip: the bundle, the code, the libraries."""
    with zipfile.ZipFile(apk) as opened:
        entries = {entry.filename: entry for entry in opened.infolist()}
        _require(len(entries) == len(opened.infolist()), "files", "each once", "one twice")
        assets = [name for name in entries if name.startswith("assets/")]
        _require(assets == [BUNDLE], "assets", BUNDLE, ", ".join(assets) or "none")
        _require(opened.read(BUNDLE) == expected.bundle, BUNDLE, "the bytes of the bundle", "others")
        _mapped(apk, entries[BUNDLE])
        dex = opened.read(CLASSES)
        libraries = [name for name in entries if name.startswith("lib/")]
        for name in libraries:
            _mapped(apk, entries[name])
            alignments = elf.load_alignments(opened.read(name), name, name.split("/")[1])
            least = min(alignments, default=0)
            _require(least >= PAGE, f"{name}, LOAD segments", f"aligned to {PAGE}", least)
    tools.run(["zipalign", "-c", "-p", "4", apk], "checking the APK's alignment")
    return (
        Check("assets", f"{BUNDLE} is the bundle, sha256 {hashlib.sha256(expected.bundle).hexdigest()}, stored at {PAGE} bytes"),
        _dex(dex, work),
        Check("libraries", f"{len(libraries)} stored at {PAGE} bytes, every LOAD segment aligned to {PAGE} at least"),
    )


def _mapped(apk: Path, entry: zipfile.ZipInfo) -> None:
    offset = data_offset(apk, entry)
    well = entry.compress_type == zipfile.ZIP_STORED and offset % PAGE == 0
    _require(well, entry.filename, f"stored at a multiple of {PAGE}", f"method {entry.compress_type} at {offset}")


def _dex(dex: bytes, work: Path) -> Check:
    """No call that is linked at run time: dx writes those wrongly for a phone."""
    _require(dex[:8] in _DEX_MAGICS, CLASSES, "a version that API 26 reads", dex[:8])
    path = work / "verified.dex"
    path.write_bytes(dex)
    text = tools.run(["dexdump", "-d", path], "reading the dex")
    for instruction in ("invoke-custom", "invoke-polymorphic"):
        _require(instruction not in text, CLASSES, f"no {instruction}", f"{text.count(instruction)} of them")
    return Check("dex", f"{text.count('Class descriptor')} classes, no invoke-custom, no invoke-polymorphic")


def _signature(text: str) -> Check:
    for scheme in ("v2", "v3"):
        _require(
            re.search(rf"\({'APK Signature Scheme ' + scheme}\): true|scheme {scheme} .*: true", text) is not None,
            "signature",
            scheme,
            "none",
        )
    return Check("signature", f"v2 and v3, certificate sha256 {_one(r'certificate SHA-256 digest: ([0-9a-f]{64})', text)}")


def _one(pattern: str, text: str) -> str:
    """The group of the first match, or nothing."""
    found = re.search(pattern, text, re.MULTILINE)
    return found[1] if found else ""
