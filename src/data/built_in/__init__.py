"""What ships with the package: one real photograph, and scenes that are drawn by formula with exact depth."""
