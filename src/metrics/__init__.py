"""Metrics: aligned depth and ground truth in, one number per image out."""
