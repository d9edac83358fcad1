"""The command `leadline`: `leadline eval model=ramp data=sample` is `python -m src.eval model=ramp data=sample`."""

import difflib
import runpy
import sys
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

COMMANDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "eval": "score models on data sets: leadline eval model=ramp data=sample",
        "predict": "predict for your own pictures: leadline predict model=ramp images=photos",
        "report": "write one page of everything measured: leadline report outputs",
        "status": "show how far the cells of a folder are: leadline status outputs",
        "protocols": "list the published ways to score, or explain one: leadline protocols --explain midas",
        "data": "list, fetch and verify data sets: leadline data list",
        "model": "list models with size, licence and training data: leadline model list",
        "export": "write a network as ONNX, OpenVINO or torch.export",
        "records": "print the numbers of every image of a cell: leadline records export <cell>",
    }
)


def main() -> int:
    """Run the command that the first word names, as `python -m` would, and return its exit code."""
    name = sys.argv[1] if len(sys.argv) > 1 else "--help"
    if name in ("-h", "--help"):
        lines = "\n".join(f"  {command:10} {what}" for command, what in COMMANDS.items())
        print(f"leadline <command> ..., where a command is\n{lines}\nleadline <command> --help says more.")  # noqa: T201
        return 0
    if name not in COMMANDS:
        alike = difflib.get_close_matches(name, COMMANDS, n=1)
        near = f"; did you mean {alike[0]}?" if alike else ""
        sys.stderr.write(f"error: leadline: expected one of {', '.join(COMMANDS)}, got {name!r}{near}\n")
        return 2
    del sys.argv[1]
    # as `python -m` does it, so that processes that are started for devices and workers find the module again
    runpy.run_module(f"src.{name}", run_name="__main__", alter_sys=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
