"""This process and its machine: devices, signals, memory, clocks, versions."""
