"""Which layers bear a stage or a precision least."""

KNOWN_FORMS = "binary, ternary, xnor, 2-bit to 8-bit, log-2 to log-12, palette-2 to palette-255, pruned-1 to pruned-99, rank-1 to rank-99"
"""What `toolchain.sensitivity.forms.form_of` knows, in words; here, since a command's help must not wait for torch."""
