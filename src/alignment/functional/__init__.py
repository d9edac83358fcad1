"""The solvers: pure, batched, masked functions from maps to one fit per image, in float64."""
