"""How a weight tensor is stored. One file an encoding."""

from toolchain.encodings.base import Encoding as Encoding
from toolchain.encodings.binary import Binary as Binary
from toolchain.encodings.palette import Palette as Palette
