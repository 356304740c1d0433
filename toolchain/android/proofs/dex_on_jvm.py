"""The APK's own dex, translated back to class files, runs the bundle's self-test on the desktop's JVM.

So the code that is proved is the code that is installed, after dx, and not what it was made from. The TFLite underneath is
the desktop's build of the same version, by the same Java classes.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path

from toolchain.android import tools
from toolchain.android.artefacts import DESKTOP, FROM_DEX, Artefact
from toolchain.android.code import CLASSES
from toolchain.android.proofs import Proof

NAME = "dex-on-jvm"
ARTEFACTS = (*FROM_DEX, *DESKTOP)
_PROGRAMS = Path(__file__).parents[1] / "java"


def prove(apk: Path, bundle: Path, fetched: Mapping[Artefact, Path], work: Path) -> Proof:
    """Runs it. Error: PackagingError with the first check of the self-test that fails."""
    dex, jar = work / "proved.dex", work / "from-dex.jar"
    with zipfile.ZipFile(apk) as opened:
        dex.write_bytes(opened.read(CLASSES))
    translator = ":".join(str(fetched[artefact]) for artefact in FROM_DEX)
    tools.run(["java", "-cp", translator, _PROGRAMS / "FromDex.java", dex, jar], "translating the APK's dex")
    # Every class comes out of the dex; of the desktop's jars only the native libraries are there to be found.
    path = ":".join(map(str, [jar, *(fetched[artefact] for artefact in DESKTOP)]))
    text = tools.run(["java", "-cp", path, _PROGRAMS / "DexSelfTest.java", bundle, jar], "running the APK's dex on the JVM")
    return Proof(NAME, True, text.strip())
