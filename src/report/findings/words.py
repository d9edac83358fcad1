"""How names and numbers are written for people."""

import math
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

from markupsafe import Markup

METRIC_LABELS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "abs_rel": "AbsRel",
        "sq_rel": "SqRel",
        "rmse": "RMSE",
        "rmse_log": "RMSE log",
        "log10": "log₁₀",
        "silog": "SILog",
        "delta1": "δ₁",
        "delta2": "δ₂",
        "delta3": "δ₃",
    }
)
_FITTED_IN: Final[Mapping[str, str]] = MappingProxyType(
    {"depth": "depth", "disparity": "disparity (1/depth)", "log_depth": "log depth"}
)


def metric_label(name: str) -> str:
    """Return the customary way to write a metric, or its name where there is none."""
    return METRIC_LABELS.get(name, name)


def breakable(name: str) -> Markup:
    """Write a name as HTML that may be broken after its underscores.

    >>> print(breakable("dpt_<x>"))
    dpt_<wbr>&lt;x&gt;
    """
    return Markup("_<wbr>").join(name.split("_"))  # a constant; what it joins is escaped


def portable(name: str) -> str:
    """Leave out the folders of a file of this machine: a name of the hub and an address stay as they are.

    >>> portable("/home/me/nets/mine.pt"), portable("Intel/dpt-large"), portable("https://a.b/c.pt")
    ('mine.pt', 'Intel/dpt-large', 'https://a.b/c.pt')
    """
    return name.rstrip("/").rpartition("/")[2] if name.startswith(("/", "~/", "file:/")) else name


def alignment(fitted_in: str, *, shifted: bool) -> str:
    """Say in words what a protocol does to a prediction before scoring it.

    Args:
        fitted_in: as in the records.
        shifted: whether a shift was fitted besides the scale.

    >>> alignment("depth", shifted=True)
    'scale and shift per image, fitted to the ground truth in depth'
    """
    if fitted_in == "nothing":
        return "none, metres are scored as predicted"
    what = "scale and shift" if shifted else "scale"
    return f"{what} per image, fitted to the ground truth in {_FITTED_IN.get(fitted_in, fitted_in)}"


def decimals_for(values: Iterable[float | None]) -> int:
    """Return how many decimals one column needs so that its smallest value keeps four digits; 1 to 4.

    >>> decimals_for([0.0583, 0.61]), decimals_for([3.2, 14.0]), decimals_for([None])
    (4, 3, 4)
    """
    sizes = [abs(value) for value in values if value]
    if not sizes:
        return 4
    return min(max(3 - math.floor(math.log10(min(sizes))), 1), 4)


def number(value: float | None, decimals: int) -> str:
    """Write a number with fixed decimals, or a dash where there is none; what rounds to zero has no sign.

    >>> number(0.05829, 4), number(None, 4), number(-0.00001, 4)
    ('0.0583', '–', '0.0000')
    """
    return "–" if value is None else f"{value:z.{decimals}f}"


def signed(value: float, decimals: int) -> str:
    """Write a difference with its sign and fixed decimals; what rounds to zero has no sign.

    >>> signed(-0.0123, 3), signed(0.5, 1), signed(-0.0001, 2)
    ('−0.012', '+0.5', '0.00')
    """
    text = f"{value:z.{decimals}f}"
    return text if float(text) == 0 else f"{value:+.{decimals}f}".replace("-", "−")


def metres(value: float) -> str:
    """Write a length with three significant digits at most, without an exponent.

    >>> metres(0.001), metres(80.0), metres(2.345)
    ('0.001', '80', '2.35')
    """
    if value < 1:
        return f"{value:.3f}".rstrip("0").rstrip(".")
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def count(value: int) -> str:
    """Write a number of parameters.

    >>> count(24_785_089), count(0), count(949_000_000)
    ('24.8 M', '0', '949 M')
    """
    for unit, size in (("B", 1e9), ("M", 1e6), ("k", 1e3)):
        if value >= size:
            return f"{value / size:.3g} {unit}"
    return str(value)


def seconds(value: float) -> str:
    """Write a duration with three significant digits.

    >>> seconds(0.0831), seconds(41.667)
    ('83.1 ms', '41.7 s')
    """
    return f"{speed(value)} s" if value >= 1 else f"{speed(1000 * value)} ms"


def speed(images_per_second: float) -> str:
    """Write images per second with three significant digits.

    >>> speed(0.2134), speed(1234.5)
    ('0.213', '1234')
    """
    return f"{images_per_second:.0f}" if images_per_second >= 100 else f"{images_per_second:.3g}"
