"""A finished cell's numbers elsewhere: CSV files and Weights & Biases."""
