"""How good a model is on labelled faces: accuracies, thresholds, error rates by group, with their intervals."""
