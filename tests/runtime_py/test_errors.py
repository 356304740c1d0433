from __future__ import annotations

import re

from runtime_py import errors


def test_the_tree_has_every_error_with_its_code() -> None:
    assert errors.__doc__ is not None
    drawn = re.findall(r"── (\w+) +([a-z]+(?:\.[a-z]+)?)", errors.__doc__)
    made = {name: kind for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, errors.PocketFaceError)}
    tree = dict(drawn)
    assert set(made) == {"PocketFaceError", *tree}
    groups = {name for name, kind in made.items() if kind.__subclasses__()} - {"GalleryError"}  # raised as one of their kinds
    assert {name: kind.code for name, kind in made.items() if name not in groups} == {
        name: code for name, code in tree.items() if name not in groups
    }
    assert len({kind.code for kind in made.values()}) == len(made)
