"""Published figures of small face embedders, to see a bundle's own beside: bytes as stored, accuracy on LFW.

They are their authors' words, not measurements of this project: trained on other and far larger sets of faces, float32, and the size
is that of the authors' own file format, in their megabytes (10^6 bytes here).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Anchor:
    """A published model: `stored` bytes, `lfw` accuracy as a share of 1, and where both are stated; `mark` is its name in a plot."""

    name: str
    mark: str
    stored: int
    lfw: float
    source: str


CHEN = "Chen et al., MobileFaceNets, 2018, arXiv:1804.07573, abstract"
WANG = (
    "MobileFaceNet by width, as tabulated for EC-KD (Wang et al., Exclusivity-Consistency Regularized Knowledge Distillation for Face "
    "Recognition, ECCV 2020) in X. Wang's lecture on model compression"
)
ANCHORS = (
    Anchor("MobileFaceNet", "MobileFaceNet", 4_000_000, 0.9955, CHEN),
    Anchor("MobileFaceNet ×2", "×2", 16_000_000, 0.9934, WANG),
    Anchor("MobileFaceNet ×1", "×1", 4_800_000, 0.9911, WANG),
    Anchor("MobileFaceNet ×1/2", "×1/2", 1_700_000, 0.9855, WANG),
    Anchor("MobileFaceNet ×1/4", "×1/4", 648_000, 0.9760, WANG),
    Anchor("MobileFaceNet ×1/8", "×1/8", 304_000, 0.9429, WANG),
)
