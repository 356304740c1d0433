"""Backbones: networks from a face to an embedding. One file a backbone."""

from toolchain.backbones.base import Backbone as Backbone
from toolchain.backbones.mobilefacenet import MobileFaceNet as MobileFaceNet
