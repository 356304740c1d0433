"""Which layers bear a stage or a precision least."""
