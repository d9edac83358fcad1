"""Samples for the trainer: shards, workers and batches."""
