"""Show the records of a cell to people: python -m src.records export <cell> --csv."""

import argparse
import dataclasses
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from src.core.errors import RecordsError
from src.core.sheet import Sheet
from src.core.shown import shown
from src.records.reader import read_cell
from src.records.table import Scored, to_records


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code: 0, or 1 after an error message."""
    parser = argparse.ArgumentParser(prog="python -m src.records", description="The per-image numbers of a cell.")
    commands = parser.add_subparsers(dest="command", required=True)
    export = commands.add_parser("export", help="write one line per image and protocol to the standard output")
    export.add_argument("cell", type=Path, help="folder of a finished cell")
    form = export.add_mutually_exclusive_group()
    form.add_argument("--csv", dest="write", action="store_const", const=_write_csv, help="comma-separated (default)")
    form.add_argument("--jsonl", dest="write", action="store_const", const=_write_lines, help="JSON lines")
    export.set_defaults(write=_write_csv)
    options = parser.parse_args(arguments)
    try:
        options.write(read_cell(options.cell).scores)
    except RecordsError as error:
        sys.stderr.write(f"error: {shown(str(error), lines=True)}\n")
        return 1
    return 0


def _write_csv(scores: Mapping[str, Scored]) -> None:
    """Undefined numbers, and metrics that a protocol does not have, are empty fields."""
    metrics = list(dict.fromkeys(metric for scored in scores.values() for metric in scored.errors))
    writer = Sheet(sys.stdout, lineterminator="\n")
    of_image = (
        "index",
        "sample_id",
        "cluster",
        "slice",
        "protocol",
        "protocol_version",
        "status",
        "reason",
        "valid_pixels",
    )
    of_fit = ("scale", "shift", "input_height", "input_width", "seconds")
    writer.writerow([*of_image, *of_fit, *metrics])
    for record in to_records(scores):
        head = [getattr(record, name) for name in of_image]
        errors = [record.errors.get(metric) for metric in metrics]
        writer.writerow([*head, record.scale, record.shift, *record.input_size, record.seconds, *errors])


def _write_lines(scores: Mapping[str, Scored]) -> None:
    """As the log of a run, in ASCII."""
    sys.stdout.writelines(
        json.dumps(dataclasses.asdict(record), allow_nan=False) + "\n" for record in to_records(scores)
    )


if __name__ == "__main__":
    sys.exit(main())
