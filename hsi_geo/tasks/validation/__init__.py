"""Cross-validation on the shots: folds, spatial blocks, the accuracy estimate."""
