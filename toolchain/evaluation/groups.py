"""Error rates by group: whether a threshold that holds for all holds for each.

FMR within a group is over comparisons of two different people of it, which is where look-alikes are; FNMR is over comparisons of
its people with themselves (ISO/IEC 19795-10; Grother et al., NIST IR 8280). Both at the variant's own thresholds.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from runtime_py.manifest import Threshold
from toolchain.data.faces import Faces
from toolchain.data.protocols import Floats
from toolchain.errors import DataError
from toolchain.evaluation.bootstrap import Bootstrap, Measured

KEYS = ("image", "identity")


@dataclass(frozen=True)
class GroupRates:
    """One group at one threshold. `fmr` is None where the group has one person alone, `fnmr` where nobody has two images."""

    group: str
    people: int
    images: int
    threshold_fmr: float
    fmr: Measured | None
    fnmr: Measured | None

    def describe(self) -> dict[str, Any]:
        """As JSON values, each rate beside what it was counted from."""
        rates = {
            name: None if found is None else {"rate": found.rate, **asdict(found)}
            for name, found in (("fmr", self.fmr), ("fnmr", self.fnmr))
        }
        return {"group": self.group, "people": self.people, "images": self.images, "threshold_fmr": self.threshold_fmr, **rates}


def read_groups(path: Path, faces: Faces) -> tuple[str, ...]:
    """The group of each image, "" where the file does not say.

    The file is CSV in UTF-8 with a header, `image,group` or `identity,group`: an image is named as in `faces`, "identity/file",
    an identity by its folder. Names that are not among the faces are passed over.
    Errors: DataError with the line's number where a line is malformed or contradicts an earlier one, or where no name is known.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(enumerate(csv.reader(file, strict=True), 1))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or "it is no CSV in UTF-8"
        raise DataError(f"{path}: expected a CSV file of groups, cannot read it ({reason})") from None
    header = rows[0][1] if rows else []
    key = header[0].strip() if header else ""
    if key not in KEYS or [cell.strip() for cell in header[1:]] != ["group"]:
        got = repr(",".join(header)[:80]) if header else "nothing"
        raise DataError(f"{path}:1: expected the header image,group or identity,group, got {got}")
    groups: dict[str, str] = {}
    for number, cells in rows[1:]:
        if not cells:
            continue  # an empty line
        name, group = (cells[0].strip(), cells[1].strip()) if len(cells) == 2 else ("", "")
        if not name or not group:
            raise DataError(f"{path}:{number}: expected {key},group with neither empty, got {','.join(cells)[:80]!r}")
        if groups.setdefault(name, group) != group:
            raise DataError(f"{path}:{number}: {name} is in group {group} here and in {groups[name]} above; keep one of them")
    names = faces.names if key == "image" else faces.identities
    if not set(names) & set(groups):
        example = f"{next(iter(groups), 'no line')!r}, the faces have such as {names[0]!r}"
        raise DataError(f"{path}: none of its {len(groups)} names is an {key} of the {len(faces)} faces (it has {example})")
    return tuple(groups.get(name, "") for name in names)


def rates_by_group(scores: Floats, groups: Sequence[str], thresholds: Sequence[Threshold], bootstrap: Bootstrap) -> list[GroupRates]:
    """Every group at every threshold, from the `scores` `[P]` of all comparisons and the group of each image `[N]`; images of
    no group ("") are in none."""
    comparisons, labels = bootstrap.comparisons, np.array(groups)
    found = []
    for threshold in thresholds:
        accepted = scores.astype(np.float64) >= threshold.similarity
        for group in sorted(set(groups) - {""}):
            member = labels == group
            within = member[comparisons.first] & member[comparisons.second]
            others, same = within & ~comparisons.same, within & comparisons.same
            people = len(np.unique(comparisons.people[member]))
            fmr = bootstrap.rate(accepted, others) if others.any() else None
            fnmr = bootstrap.rate(~accepted, same) if same.any() else None
            found.append(GroupRates(group, people, int(member.sum()), threshold.fmr, fmr, fnmr))
    return found
