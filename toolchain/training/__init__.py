"""Training: the loop, its optimisers, batch norm shared between processes."""
