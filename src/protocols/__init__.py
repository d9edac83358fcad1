"""The protocols at the command line: `python -m src.protocols` lists them, `--explain <name>` explains one."""
