"""The calls of docs/runtime.md do what the page says."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from toolchain.data.synthetic import Identity, View, beside, photograph
from toolchain.golden import png

PAGE = Path(__file__).parents[3] / "docs" / "runtime.md"


def test_the_five_calls(face_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    drawn = [photograph(Identity.draw(11, number), View.draw(11, number, 0, 0.2), 256, 256) for number in (0, 1)]
    shutil.copy(face_bundle, tmp_path / "face.pface")
    for name, pixels in (("ann", drawn[0].image), ("door", drawn[0].image), ("group", beside(drawn)[0])):
        (tmp_path / f"{name}.png").write_bytes(png(pixels))
    monkeypatch.chdir(tmp_path)
    (block,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.S)
    names: dict[str, object] = {}
    # The tests' bundle has thresholds for another variant than a built one's default.
    exec(block.replace('variant="int8"', 'variant="float"'), names)
    printed = capsys.readouterr().out
    assert len(names["embeddings"]) == 2  # type: ignore[arg-type]
    assert "fmr=0.001" in printed and "name='Ann'" in printed
