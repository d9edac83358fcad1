"""Alignments: bring a prediction to metres. `functional` holds the solvers, `base` the contract."""
