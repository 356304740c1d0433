"""What docs/adding-a-method.md shows runs as it stands."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch

from toolchain.recipes import find_recipe

PAGE = Path(__file__).parents[2] / "docs" / "adding-a-method.md"


def test_the_files_of_the_page_make_a_recipe_whose_net_and_loss_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = dict(re.findall(r"^`([\w/]+\.py)`[^\n]*:\n\n```python\n(.*?)```", PAGE.read_text(), re.S | re.M))
    assert list(blocks) == ["toolchain/backbones/plain_net.py", "toolchain/losses/label_smoothing.py", "plain_net.py"]
    recipe = tmp_path / "plain_net.py"
    recipe.write_text(blocks.pop("plain_net.py"))
    for path, source in blocks.items():
        name = path.removesuffix(".py").replace("/", ".")
        module = ModuleType(name)
        monkeypatch.setitem(sys.modules, name, module)
        exec(compile(source, path, "exec"), module.__dict__)
    found = find_recipe(str(recipe))
    assert found.backbone is not None
    net = found.backbone.build().eval()
    embeddings = net(torch.zeros(2, 3, 112, 112))
    (stage,) = found.train
    criterion = stage.loss.build(embeddings.shape[1], 5)  # type: ignore[attr-defined]
    assert float(criterion.loss(embeddings, torch.tensor([0, 4]))) > 0
