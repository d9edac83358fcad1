"""One file per family of models: its preprocessing, its network, its output space."""
