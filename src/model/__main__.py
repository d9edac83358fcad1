"""What models there are and what they were trained on: `python -m src.model list`, `... list --card <name>`."""

import argparse
import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from src.core.errors import LeadlineError
from src.model.cards import headline, model_names, read_card, read_weights
from src.records.card import UNKNOWN, ModelCard

CONF = Path(__file__).parents[2] / "conf"
_NAMED = 3


def listing(conf: Path) -> Table:
    """Return a table of all models, families together; those without a card have the first line of their file."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("model", no_wrap=True)
    for heading in ("family", "encoder"):
        table.add_column(heading, overflow="fold")
    table.add_column("M", justify="right")
    for heading in ("space", "licence", "year", "training data"):
        table.add_column(heading, overflow="fold")
    cards = {name: read_card(conf, name) for name in model_names(conf)}
    known = {name: card for name, card in cards.items() if card is not None}
    for name, card in sorted(known.items(), key=lambda item: (item[1].family, item[0])):
        table.add_row(name, *map(Text, _cells(card)))
    table.add_section()
    for name in sorted(cards.keys() - known.keys()):
        table.add_row(name, *[""] * 6, Text(headline(conf, name)))
    return table


def _cells(card: ModelCard) -> tuple[str, ...]:
    data = card.training_data
    more = f" and {len(data) - _NAMED} more" if len(data) > _NAMED else ""
    return (
        card.family,
        card.encoder,
        f"{card.parameters_m:.0f}" if card.parameters_m else UNKNOWN,
        card.output_space,
        card.licence,
        str(card.year) if card.year else UNKNOWN,
        ", ".join(data[:_NAMED]) + more if data else "none",
    )


def sheet(conf: Path, name: str) -> str:
    """Return a whole card, or the one line that is known of a model without.

    Raises:
        ConfigError: if there is no such model.
    """
    card = read_card(conf, name)
    lines = [f"{name}: {headline(conf, name)}", f"  {'weights':{14}}{read_weights(conf, name) or 'none'}"]
    if card is None:
        return "\n".join([*lines, "  no card: reports call its results neither in-domain nor zero-shot"])
    for field, value in dataclasses.asdict(card).items():
        lines.append(f"  {field:{14}}{', '.join(value) or 'none' if isinstance(value, list) else value}")
    return "\n".join(lines)


def main(arguments: Sequence[str]) -> int:
    """Run the command line and return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m src.model", description="List the models, or show one card.")
    parser.add_argument("command", choices=("list",))
    parser.add_argument("--card", metavar="NAME", help="show everything that is known about one model")
    name = parser.parse_args(arguments).card
    console = Console()
    try:
        if name is None:
            console.print(listing(CONF))
        else:
            console.print(sheet(CONF, name), soft_wrap=True, highlight=False, markup=False)
    except LeadlineError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
