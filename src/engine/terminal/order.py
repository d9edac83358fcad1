"""The words of a sweep's command line, put so that cells of one network follow each other. Imports nothing heavy."""

from collections.abc import Sequence

_LEAVE_THE_NETWORK = ("data", "protocol", "corruption", "severity", "limit")
_SWEPT = ("model", "data")


def arrange(words: Sequence[str]) -> list[str]:
    """Return the overrides of a sweep in an order, and a spelling, that serve it best.

    Hydra varies what is named last fastest. What leaves the network as it is goes to the end, so that a loaded network
    serves all its data sets before the next is loaded.

    Hydra also composes once without the swept choices, where `data.crop=null` would have nothing to be set in;
    `++data.crop=null` is set whatever is chosen. A key that the choice does not have is then refused by the data set or
    the model itself. Where one choice is given, words stay as they are, and so does hydra's check of their keys.

    >>> arrange(["data=nyu,kitti", "data.crop=null", "model=midas,zoedepth", "resolution=384"])
    ['model=midas,zoedepth', 'resolution=384', 'data=nyu,kitti', '++data.crop=null']
    """
    one_choice = {key for key in _SWEPT if any(_key(word) == key and _is_one(word) for word in words)}
    spelt = [word if _group(word) in one_choice or not _sets_below(word) else f"++{word}" for word in words]
    return sorted(spelt, key=lambda word: _group(word) in _LEAVE_THE_NETWORK)


def _key(word: str) -> str:
    return word.lstrip("+~").partition("=")[0]


def _group(word: str) -> str:
    return _key(word).partition(".")[0]


def _is_one(word: str) -> bool:
    value = word.partition("=")[2]
    return "," not in value and "(" not in value


def _sets_below(word: str) -> bool:
    """Whether a word sets a value inside a group that may be swept, in hydra's plain spelling."""
    return word.startswith(tuple(f"{group}." for group in _SWEPT))
