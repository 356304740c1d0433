"""Every class and method of Android and Java that the SDK and the app name exists on API 26, the least that they state.

animal-sniffer reads the class files against a list of all that API 26 has (gummy-bears).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from toolchain.android import tools
from toolchain.android.artefacts import API_26, API_LEVEL, Artefact
from toolchain.android.proofs import Proof

ARTEFACTS = (*API_LEVEL, API_26)
_PROGRAM = Path(__file__).parents[1] / "java" / "ApiLevel.java"


def prove(fetched: Mapping[Artefact, Path], classes: Sequence[Path]) -> Proof:
    """Checks all class files in `classes`, folders or jars. Error: PackagingError with the first name that API 26 lacks."""
    path = ":".join(str(fetched[artefact]) for artefact in API_LEVEL)
    text = tools.run(["java", "-cp", path, _PROGRAM, fetched[API_26], *classes], "checking the API level")
    return Proof("api-level", True, text.strip())
