"""Time the start of each command, in fresh processes, and list what they import for longest.

    python -m tests.benchmarks.startup [--output startup.json] [--repeats 3]

The best of the repeats is shown, after one start that fills the system's cache of files; beside it the time that a
processor computed, which other programs on the machine disturb less. The largest imports are those
by `python -X importtime`, each with everything that it imports first.
"""

# ruff: noqa: T201

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

GOALS = {
    "src.eval --help": (("-m", "src.eval", "--help"), 2.0),
    "src.predict --help": (("-m", "src.predict", "--help"), 2.0),
    "src.model list": (("-m", "src.model", "list"), 2.0),
    "src.status": (("-m", "src.status", "--help"), 2.0),
    "import src.report": (("-c", "import src.report.__main__"), 1.5),
}
"""Arguments of Python and the seconds that it should take at most on two cores."""


def seconds(arguments: tuple[str, ...]) -> tuple[float, float]:
    """Run Python once; return the seconds that passed, and those that a processor computed."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run((sys.executable, *arguments), check=True, stdout=subprocess.DEVNULL)
    passed, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return passed, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def largest_imports(arguments: tuple[str, ...], count: int) -> list[tuple[str, float]]:
    """Return the packages whose import took longest, by everything they import, in seconds."""
    words = (sys.executable, "-X", "importtime", *arguments)
    done = subprocess.run(words, check=True, capture_output=True, text=True)
    return parse(done.stderr)[:count]


def parse(report: str) -> list[tuple[str, float]]:
    """Return the packages of a report of `-X importtime`, longest first, with seconds.

    >>> parse("import time:  10 |  30 | a\\nimport time:  5 |  40 | site\\nimport time: 1 | 2000000 |   b.c\\n")
    [('b', 2.0), ('site', 4e-05), ('a', 3e-05)]
    """
    longest: dict[str, float] = {}
    for line in report.splitlines():
        if line.startswith("import time:") and "cumulative" not in line:
            _, cumulative, name = line.removeprefix("import time:").split("|")
            package = name.strip().partition(".")[0]
            longest[package] = max(longest.get(package, 0.0), int(cumulative) / 1e6)
    return sorted(longest.items(), key=lambda item: -item[1])


def main() -> int:
    """Time every command and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--output", type=Path)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--imports", type=int, default=8, help="the largest so many are listed")
    options = parser.parse_args()
    rows: list[dict[str, Any]] = []
    for name, (arguments, goal) in GOALS.items():
        seconds(arguments)
        best, computed = (
            min(times) for times in zip(*(seconds(arguments) for _ in range(options.repeats)), strict=True)
        )
        imports = largest_imports(arguments, options.imports)
        rows.append({"command": name, "seconds": best, "processor": computed, "goal": goal, "imports": imports})
        listed = ", ".join(f"{package} {took:.2f}" for package, took in imports)
        print(f"{name:20}{best:6.2f} s of {goal:.1f} s, computing {computed:.2f} s   {listed}", flush=True)
    if options.output:
        options.output.parent.mkdir(parents=True, exist_ok=True)
        options.output.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
