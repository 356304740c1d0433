"""How a weight tensor is stored. One file an encoding."""

from toolchain.encodings.affine import Affine as Affine
from toolchain.encodings.base import CodebookEncoding as CodebookEncoding
from toolchain.encodings.base import Encoding as Encoding
from toolchain.encodings.base import GridEncoding as GridEncoding
from toolchain.encodings.binary import Binary as Binary
from toolchain.encodings.codebook import Codebook as Codebook
from toolchain.encodings.log_min_max import LogMinMax as LogMinMax
from toolchain.encodings.palette import Palette as Palette
from toolchain.encodings.sparse import Sparse as Sparse
from toolchain.encodings.ternary import Ternary as Ternary
