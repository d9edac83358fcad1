"""Leadline: monocular depth estimation, benchmarked under the exact published protocols."""
