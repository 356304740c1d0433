"""Losses: settings with `.build(dim, classes)`. One file a loss."""

from toolchain.losses.arcface import ArcFace as ArcFace
from toolchain.losses.base import Loss as Loss
from toolchain.losses.centre import CentreLoss as CentreLoss
from toolchain.losses.contrastive import Contrastive as Contrastive
from toolchain.losses.cosface import CosFace as CosFace
from toolchain.losses.focal import Focal as Focal
from toolchain.losses.hard_examples import HardExamples as HardExamples
from toolchain.losses.softmax import Softmax as Softmax
from toolchain.losses.sphereface import SphereFace as SphereFace
from toolchain.losses.supervised import Train as Train
from toolchain.losses.triplet import Triplet as Triplet
