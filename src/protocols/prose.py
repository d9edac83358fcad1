"""A protocol in plain words, put together from the object itself and the docstrings of its parts."""

import dataclasses
import inspect
import re
import textwrap
from collections.abc import Iterator
from enum import StrEnum
from typing import Any

from src.alignment.base import Alignment
from src.alignment.functional.disparity import Floor
from src.alignment.selection import Selection
from src.alignment.weighting import Weighting
from src.core.prediction import OutputSpace
from src.metrics.base import DepthMetric
from src.protocol.evaluation import LEAST_DEPTH, EvalProtocol

_WIDTH = 100
_NAMED: dict[str, type[StrEnum]] = {"floor": Floor, "weighting": Weighting}


def describe(protocol: EvalProtocol, headline: str) -> str:
    """Return the steps, constants, formulas, source and traps of a protocol.

    Args:
        protocol: to explain.
        headline: its one-line description.
    """
    spaces = ", ".join(space for space in OutputSpace if protocol.supports(space))
    pixels = "valid" if protocol.score_on == "valid" else "valid and on an annotated edge"
    lines = [
        f"{protocol.name}, version {protocol.version}",
        *_wrap(f"{headline[0].upper()}{headline[1:]}."),
        *_wrap(f"Scores predictions that are {spaces}."),
        "",
        "For each image:",
        *_step(1, "The prediction p is brought to the grid of the ground truth g, which is never resampled."),
        *_step(2, f"Pixels that count are {pixels}. An image without any is skipped, never repaired."),
        *_step(3, *_alignment(protocol.alignment), *_scope(protocol)),
        *_step(4, _clip(protocol)),
        *_step(5, "Each metric is taken over the pixels that count:"),
        *(line for metric in protocol.metrics for line in _metric(metric)),
        "",
        *_wrap(
            "The value of a data set is the mean over its images, or over what a metric names. A prediction or an "
            "error that is not finite on a pixel that counts makes the image failed; a run with failures is not ranked."
        ),
    ]
    if protocol.source:
        lines += ["", *_wrap(f"Source: {protocol.source}.")]
    if protocol.traps:
        lines += ["", "Traps:", *(line for trap in protocol.traps for line in _wrap(f"- {trap}", "  ", "    "))]
    return "\n".join(lines)


def _alignment(alignment: Alignment) -> Iterator[str]:
    yield f"{type(alignment).__name__}: {_paragraphs(alignment)[0]}"
    yield from _paragraphs(alignment)[1:]
    if alignment.solved_by is not None:
        first, *rest = _paragraphs(alignment.solved_by)
        name = alignment.solved_by.__name__
        yield f"The fit, {name}, is made in {alignment.fitted_in.replace('_', ' ')}, x predicted and y true. {first}"
        yield from rest
    yield from _settings(alignment)


def _scope(protocol: EvalProtocol) -> Iterator[str]:
    """What the fit holds for, where that is not the image it is scored on."""
    if protocol.fit_over is not None:
        first, *rest = _paragraphs(type(protocol.fit_over))
        yield f"What one fit holds for, {protocol.fit_over.label}: {first}"
        yield from rest
        yield from _settings(protocol.fit_over)


def _settings(part: Any) -> Iterator[str]:
    if dataclasses.is_dataclass(part):
        for field in dataclasses.fields(part):
            value = getattr(part, field.name)
            # what is None or False does not happen
            if field.name != "solver" and value is not None and value is not False:
                yield f"{field.name} = {_value(field.name, value)}: {_argument(type(part), field.name)}"


def _value(name: str, value: Any) -> str:
    if isinstance(value, Selection):
        return f"{value!r} ({' '.join(_paragraphs(value)[:2])})"
    if isinstance(value, str) and name in _NAMED:
        return f"{value} ({_NAMED[name](value).__doc__})"
    return str(value)


def _clip(protocol: EvalProtocol) -> str:
    if protocol.clip == "none":
        return "Aligned depth is not clipped; ground truth never is."
    if protocol.clip == "depth_range":
        bounds = f"the depth range of the data variant, but never below {LEAST_DEPTH:g} m"
    else:
        bounds = f"{protocol.clip[0]:g} m to {protocol.clip[1]:g} m"
    return f"Aligned depth is clipped to {bounds}. Ground truth never is."


def _metric(metric: DepthMetric) -> list[str]:
    facts = [metric.unit, "higher is better" if metric.higher_is_better else "lower is better"]
    if metric.mean_over != "images":
        facts.append(f"mean over {metric.mean_over}")
    if metric.may_be_undefined:
        facts.append("not every image has a value")
    return _wrap(f"{metric.name} ({', '.join(filter(None, facts))}): {_paragraphs(metric)[0]}", "     ", "       ")


def _paragraphs(documented: object) -> list[str]:
    """The docstring as paragraphs of one line each, without sections of arguments and errors and without examples."""
    text = inspect.getdoc(documented if callable(documented) else type(documented)) or ""
    blocks = [block for block in text.split("\n\n") if not re.match(r"(Args|Attributes|Raises|>>>)", block)]
    return [" ".join(block.removeprefix("Returns:").replace("`", "").split()) for block in blocks]


def _argument(kind: type, name: str) -> str:
    """What the class docstrings say of an argument."""
    for base in kind.__mro__:
        section = re.search(r"Attributes:\n(.*)", inspect.cleandoc(base.__doc__ or ""), re.DOTALL)
        found = section and re.search(rf"^    {name}: (.*?)(?=^    \w|\Z)", section[1], re.DOTALL | re.MULTILINE)
        if found:
            return " ".join(found[1].replace("`", "").split())
    msg = f"{kind.__name__}: expected {name} in the Attributes of its docstring"
    raise LookupError(msg)


def _step(number: int, first: str, *rest: str) -> list[str]:
    return _wrap(f"{number}. {first}", "  ", "     ") + [
        line for part in rest for line in _wrap(part, "     ", "     ")
    ]


def _wrap(text: str, first: str = "", rest: str = "") -> list[str]:
    return textwrap.wrap(text, _WIDTH, initial_indent=first, subsequent_indent=rest, break_on_hyphens=False)
