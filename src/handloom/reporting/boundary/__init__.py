"""The decision boundary, or the curve of a single input, over the epochs of a training."""
