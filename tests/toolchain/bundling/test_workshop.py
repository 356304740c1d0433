"""What is kept of a variant is found again only for what it was made from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np

from tests.toolchain import tiny_nets
from toolchain.bundling.variants import Workshop
from toolchain.convert.route import Converter, Onnx2Tf
from toolchain.data.faces import Faces
from toolchain.kept import Kept, KeptBytes
from toolchain.model import Model
from toolchain.progress import Progress
from toolchain.recipe import Variant
from toolchain.stage import Context


@dataclass(frozen=True)
class ByFaces(Variant):
    """What it becomes depends on the faces at hand, as with a rule of Int8.keep_float."""

    name: ClassVar[str] = "by-faces"

    def convert(self, model: Model, converter: Converter, context: Context) -> bytes:
        return b"drawn" if context.faces is None else context.faces.images.tobytes()


def test_other_faces_make_a_variant_anew(tmp_path: Path) -> None:
    pictures = tiny_nets.images(2)
    context = Context(tmp_path / "work", progress=Progress(quiet=True))
    drawn = Workshop(context, Kept(tmp_path / "stages"), KeptBytes(tmp_path / "bytes"), Onnx2Tf(), pictures)
    assert drawn.convert(ByFaces(), tiny_nets.folded()) == b"drawn"
    for images in (pictures, np.flip(pictures, 0).copy()):
        given = replace(drawn, context=replace(context, faces=Faces(images, ("a/0.png", "b/0.png"))))
        assert given.convert(ByFaces(), tiny_nets.folded()) == images.tobytes()
