"""Backbones: networks from a face to an embedding. One file a backbone."""

from toolchain.backbones.base import Backbone as Backbone
from toolchain.backbones.mobilefacenet import MobileFaceNet as MobileFaceNet
from toolchain.backbones.mobilenet_v1 import MobileNetV1 as MobileNetV1
from toolchain.backbones.mobilenet_v2 import MobileNetV2 as MobileNetV2
from toolchain.backbones.mobilenet_v3 import MobileNetV3 as MobileNetV3
from toolchain.backbones.sep_net import SEPNet as SEPNet
from toolchain.backbones.shufflenet_v2 import ShuffleNetV2 as ShuffleNetV2
from toolchain.backbones.squeezenet import SqueezeNet as SqueezeNet
from toolchain.backbones.vgg11 import VGG11 as VGG11
from toolchain.backbones.vgg_gap import VGGGAP as VGGGAP
