"""Losses: settings with `.build(dim, classes)`. One file a loss."""

from toolchain.losses.arcface import ArcFace as ArcFace
from toolchain.losses.base import Loss as Loss
from toolchain.losses.supervised import Train as Train
