"""The engine runs one cell: one model on one data variant, scored under every requested protocol."""
