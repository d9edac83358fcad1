"""Protocols: alignment, clip and metrics under one name and version, what they make of a batch, and its mean."""
