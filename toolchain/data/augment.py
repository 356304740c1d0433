"""Augmentation of aligned faces, a batch at a time, on the device that trains."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from toolchain.errors import RecipeError


@dataclass(frozen=True)
class Augment:
    """Random changes that keep who it is. All are drawn anew for every image; a 0 leaves a change out."""

    flip: float = 0.5
    """Probability of a mirror image."""
    rotation_degrees: float = 8.0
    """Standard half-range of the rotation about the centre."""
    scale: float = 0.08
    """Half-range of the relative change of size."""
    shift: float = 0.05
    """Half-range of the shift, as a share of the side."""
    brightness: float = 0.15
    """Half-range of the added brightness, as a share of the full range."""
    contrast: float = 0.2
    """Half-range of the relative change of contrast."""
    saturation: float = 0.3
    """Half-range of the relative change of colour saturation."""
    low_resolution: float = 0.1
    """Share of the batches of which half, drawn anew, is shrunk to between 1/3 and 2/3 of its size and enlarged again."""
    erase: float = 0.1
    """Probability that a rectangle of up to 40 % of each side is filled with grey."""

    def __post_init__(self) -> None:
        for name in ("flip", "low_resolution", "erase"):
            if not 0 <= getattr(self, name) <= 1:
                raise RecipeError(f"Augment.{name}: expected a probability, got {getattr(self, name)}")
        for name in ("shift", "brightness", "contrast", "saturation"):
            if not 0 <= getattr(self, name) <= 1:
                raise RecipeError(f"Augment.{name}: expected 0 to 1, got {getattr(self, name)}")
        if not 0 <= self.rotation_degrees <= 180:
            raise RecipeError(f"Augment.rotation_degrees: expected 0 to 180, got {self.rotation_degrees}")
        if not 0 <= self.scale < 1:
            raise RecipeError(f"Augment.scale: expected 0 up to but not 1, got {self.scale}")

    def __call__(self, images: Tensor, size: int, generator: torch.Generator) -> Tensor:
        """`images` `[N, 3, H, W]` float in 0..255 to `[N, 3, size, size]` float in 0..255. `generator` lives on the CPU, so
        that the same seed draws the same changes on every device."""
        count, device = len(images), images.device

        def uniform(*shape: int) -> Tensor:
            return (torch.rand(*shape, generator=generator) * 2 - 1).to(device)

        mirrored = torch.where(torch.rand(count, generator=generator) < self.flip, -1.0, 1.0).to(device)
        angle = uniform(count) * math.radians(self.rotation_degrees)
        zoom = 1 + uniform(count) * self.scale
        shift = uniform(count, 2) * 2 * self.shift
        cos, sin = torch.cos(angle) * zoom, torch.sin(angle) * zoom
        matrix = torch.stack([torch.stack([cos * mirrored, -sin, shift[:, 0]], 1), torch.stack([sin * mirrored, cos, shift[:, 1]], 1)], 1)
        grid = functional.affine_grid(matrix, [count, 3, size, size], align_corners=False)
        if size < images.shape[2]:
            # bilinear sampling alone would alias: shrink with an area filter first when the factor is large
            images = functional.interpolate(images, size=(size, size), mode="bilinear", antialias=True, align_corners=False)
        out = functional.grid_sample(images, grid, mode="bilinear", padding_mode="border", align_corners=False)
        out = self._colour(out, uniform)
        out = self._degrade(out, generator)
        return out.clamp_(0, 255)

    def _colour(self, images: Tensor, uniform: object) -> Tensor:
        assert callable(uniform)
        count = len(images)
        grey = images.mean(1, keepdim=True)
        images = grey + (images - grey) * (1 + uniform(count, 1, 1, 1) * self.saturation)
        mean = images.mean((1, 2, 3), keepdim=True)
        return mean + (images - mean) * (1 + uniform(count, 1, 1, 1) * self.contrast) + uniform(count, 1, 1, 1) * 255 * self.brightness

    def _degrade(self, images: Tensor, generator: torch.Generator) -> Tensor:
        count, _, height, width = images.shape
        draw = torch.rand(3, generator=generator)
        if draw[0] < self.low_resolution and count > 1:
            small = max(8, int(height * (1 + float(draw[1])) / 3))
            # Drawn, since a batch may come in an order: its first half would always be the first faces of the data set.
            chosen = torch.randperm(count, generator=generator)[: count // 2].to(images.device)
            part = functional.interpolate(images[chosen], size=(small, small), mode="bilinear", antialias=True)
            images = images.index_copy(0, chosen, functional.interpolate(part, size=(height, width), mode="bilinear"))
        erased = torch.rand(count, generator=generator) < self.erase
        box = torch.rand(count, 4, generator=generator)
        for row in torch.nonzero(erased).flatten().tolist():
            high, wide = int(height * (0.1 + 0.3 * float(box[row, 0]))), int(width * (0.1 + 0.3 * float(box[row, 1])))
            top, left = int((height - high) * float(box[row, 2])), int((width - wide) * float(box[row, 3]))
            images[row, :, top : top + high, left : left + wide] = 127.5
        return images
