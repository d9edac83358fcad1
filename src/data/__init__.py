"""Data sets: files in, `Sample` out. One file per data set."""
