"""What models there are and what they were trained on: `python -m src.model list`, `... list --card <name>`."""

import argparse
import dataclasses
import sys
import types
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from src.core.errors import LeadlineError
from src.core.shipped import CONF
from src.core.shown import shown
from src.core.terminal import terminal
from src.model.cards import headline, model_names, read_card, read_weights
from src.records.card import UNKNOWN, ModelCard

_NAMED = 3
_WIDE = 170
_NARROW = ("M", "space", "licence")
_WIDTHS = types.MappingProxyType({"licence": 12, "space": 16})  # of a narrow terminal, where names have to be whole


def listing(conf: Path, *, width: int) -> Group:
    """Return a table of all models, families together, and a line for each of those without a card.

    Args:
        conf: folder of the configuration.
        width: of the terminal in characters; a narrow one gets the columns that matter for a choice.
    """
    is_wide = width >= _WIDE
    columns = _COLUMNS if is_wide else {heading: _COLUMNS[heading] for heading in _NARROW}
    table = Table(box=box.SIMPLE_HEAD if is_wide else None, padding=(0, 1), pad_edge=False)
    table.add_column("model", no_wrap=True)
    for heading in columns:
        table.add_column(
            heading,
            justify="right" if heading == "M" else "left",
            no_wrap=not is_wide or heading in ("family", "space"),
            overflow="fold" if is_wide else "ellipsis",
            max_width=None if is_wide else _WIDTHS.get(heading),
        )
    cards = {name: read_card(conf, name) for name in model_names(conf)}
    known = {name: card for name, card in cards.items() if card is not None}
    for name, card in sorted(known.items(), key=lambda item: (item[1].family, item[0])):
        table.add_row(name, *(Text(cell(card)) for cell in columns.values()))
    others = cards.keys() - known.keys()
    longest = max(map(len, others), default=0)
    lines = [f"{name:<{longest}}  {headline(conf, name)}" for name in sorted(others)]
    return Group(table, *(Text(line, no_wrap=True, overflow="ellipsis") for line in lines))


def _training_data(card: ModelCard) -> str:
    data = card.training_data
    more = f" and {len(data) - _NAMED} more" if len(data) > _NAMED else ""
    return ", ".join(data[:_NAMED]) + more if data else "none"


_COLUMNS: Mapping[str, Callable[[ModelCard], str]] = types.MappingProxyType(
    {
        "family": lambda card: card.family,
        "encoder": lambda card: card.encoder,
        "M": lambda card: f"{card.parameters_m:.0f}" if card.parameters_m else UNKNOWN,
        "space": lambda card: card.output_space,
        "licence": lambda card: card.licence,
        "year": lambda card: str(card.year) if card.year else UNKNOWN,
        "training data": _training_data,
    }
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
    console = terminal() if sys.stdout.isatty() else terminal(width=200)
    try:
        if name is None:
            console.print(listing(CONF, width=console.width))
        else:
            console.print(sheet(CONF, name), soft_wrap=True, highlight=False, markup=False)
    except LeadlineError as error:
        print(f"error: {shown(str(error), lines=True)}", file=sys.stderr)  # noqa: T201
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
