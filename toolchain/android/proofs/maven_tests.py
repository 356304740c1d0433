"""The Maven tests of the SDK (golden vectors on the JVM) and of the app (its screens under Robolectric, with real TFLite).

They belong to a checkout and are run there by Maven. Here their results are read, so that a report says whether they ran
on the sources that were packaged.
"""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

from toolchain.android.proofs import Proof
from toolchain.android.sources import Sources
from toolchain.errors import PackagingError

PARTS = {"sdk": "jvm-goldens", "app": "screens"}
"""The name of the proof that each part's tests are."""
_RUN = {"sdk": ("sdk",), "app": ("sdk", "app")}
"""The parts whose sources each part's tests run: the app's run the SDK."""
_HOW = "`mvn -f android_demo/pom.xml test` in a checkout runs it"


def read(sources: Sources) -> list[Proof]:
    """What the last Maven run says of each part. Error: PackagingError where a test of these sources failed."""
    return [_read(sources.root, part, name) for part, name in PARTS.items()]


def _changed(root: Path, part: str) -> float:
    """When what the part's tests run was changed last."""
    files = [root / "pom.xml"]
    for run in _RUN[part]:
        files += [root / run / "pom.xml", *(root / run / "src").rglob("*")]
    return max((path.stat().st_mtime for path in files if path.is_file()), default=0.0)


def _read(root: Path, part: str, name: str) -> Proof:
    results = sorted((root / part / "target" / "surefire-reports").glob("TEST-*.xml"))
    if not results:
        return Proof(name, False, _HOW)
    if min(path.stat().st_mtime for path in results) < _changed(root, part):
        return Proof(name, False, f"its sources changed since; {_HOW}")
    counts = {"tests": 0, "skipped": 0, "failures": 0, "errors": 0}
    for path in results:
        suite = ElementTree.parse(path).getroot()
        for kind in counts:
            counts[kind] += int(suite.get(kind, "0"))
    if counts["failures"] + counts["errors"]:
        raise PackagingError(
            f"{part}: expected its Maven tests to pass, {counts['failures'] + counts['errors']} of {counts['tests']} failed; mend them"
        )
    ran = counts["tests"] - counts["skipped"]
    return Proof(name, ran > 0, f"{ran} Maven tests passed, {counts['skipped']} left out" if ran else f"every test was left out; {_HOW}")
