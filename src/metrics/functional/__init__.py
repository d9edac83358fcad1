"""The maths of the metrics: pure, batched, masked functions, one value per image."""
