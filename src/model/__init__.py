"""Depth models: `Sample.image` in, `Prediction` out. One file per family in `families`."""
