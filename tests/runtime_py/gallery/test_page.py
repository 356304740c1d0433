"""The calls of docs/runtime.md do what the page says."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from runtime_py.gallery import Gallery, Identifier, QdrantGallery
from toolchain.data.png import png
from toolchain.data.synthetic import Drawing, Identity, View, beside, photograph

PAGE = Path(__file__).parents[3] / "docs" / "runtime.md"


def test_the_five_calls(face_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    drawn = [photograph(Identity.draw(11, number), View.draw(11, number, 0, 0.2), 256, 256) for number in (0, 1)]
    shutil.copy(face_bundle, tmp_path / "face.pface")
    for name, pixels in (("ann", drawn[0].image), ("door", drawn[0].image), ("group", beside(drawn)[0])):
        (tmp_path / f"{name}.png").write_bytes(png(pixels))
    monkeypatch.chdir(tmp_path)
    block, landmarks, many = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.S)
    names: dict[str, object] = {}
    # The tests' bundle has thresholds for another variant than a built one's default.
    exec(block.replace('variant="int8"', 'variant="float"'), names)
    printed = capsys.readouterr().out
    assert len(names["embeddings"]) == 2  # type: ignore[arg-type]
    assert "fmr=0.001" in printed and "name='Ann'" in printed
    with Gallery("others.pfgallery") as gallery:
        names |= {"gallery": gallery, "identifier": Identifier(names["recognizer"], gallery), **marked(drawn[1])}
        # The model is the user's own; tests/runtime_py/test_landmarks.py runs it where there is one.
        exec("\n".join(line for line in landmarks.split("\n") if "YuNet" not in line), names)
        assert len(gallery) == 1
    pytest.importorskip("qdrant_client")
    exec(many.replace('"https://qdrant.example:6333", "staff", api_key=key', '":memory:"'), names)
    assert isinstance(names["gallery"], QdrantGallery)


def marked(drawn: Drawing) -> dict[str, object]:
    """A drawn photograph and its points, the mouth by its corners, as another detector gives them."""
    points = drawn.key_points[:4]
    corner = (points[1] - points[0]) / 3
    return {"pixels": drawn.image, "five_points": np.stack([*points[:3], points[3] - corner, points[3] + corner])}
