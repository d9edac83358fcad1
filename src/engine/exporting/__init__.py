"""A model becomes a file that other runtimes read: `python -m src.export`."""
