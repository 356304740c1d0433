"""The one error tree of the build side.

ToolchainError          whatever a user can mend; the CLI prints it as one line and exits with 2
├── DataError           images, archives, pairs, weights: missing, damaged, of the wrong kind
├── RecipeError         a recipe or a setting that makes no sense
├── ConversionError     torch → ONNX → TFLite went wrong, or a tensor lost its encoding on the way
├── PackagingError      an Android app or library cannot be made, or is not what it must be
├── SetupError          this machine lacks what a check needs
└── GateError           a variant does not reach a stated bound (exit code 4)

Every message says what was expected, what came, where, and what to do.
"""


class ToolchainError(Exception):
    """Base of all errors that the toolchain raises on purpose."""

    exit_code = 2


class DataError(ToolchainError):
    """Input data that is missing, damaged or of the wrong kind."""


class RecipeError(ToolchainError):
    """A recipe or setting that makes no sense."""


class ConversionError(ToolchainError):
    """The conversion to TFLite failed, or what came out is not what was encoded."""


class SetupError(ToolchainError):
    """This machine lacks what a check needs, or it could not be fetched."""


class PackagingError(ToolchainError):
    """A program or file that packaging for Android needs is missing, or what came out is not what it must be."""


class GateError(ToolchainError):
    """A variant missed a bound that its recipe sets."""

    exit_code = 4
