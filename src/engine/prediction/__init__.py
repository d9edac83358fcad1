"""`python -m src.predict`: depth maps of one's own pictures, written to files."""
