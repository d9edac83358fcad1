"""The vocabulary every room shares: typed batches, output spaces, masked reductions, resizing, errors."""
