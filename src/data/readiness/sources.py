"""Where the files of each data set lie, how large they are and by which hash they are known: sources.toml."""

import dataclasses
import tomllib
from pathlib import Path
from typing import Any, Literal

TABLE = Path(__file__).parent / "sources.toml"

Then = Literal["keep", "gunzip", "unzip"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RemoteFile:
    """A file that anyone may fetch.

    Attributes:
        url: its address.
        to: where it goes, with the arguments of the data set in braces: "{root}.tar".
        size: in bytes; None if not looked up.
        algorithm: of the hash: md5 or sha256.
        digest: the hash in hexadecimal digits; None if none is published or none was looked up.
        then: keep it; gunzip it, dropping the suffix .gz; or unzip it into its folder.
    """

    url: str
    to: str
    size: int | None = None
    algorithm: str = "sha256"
    digest: str | None = None
    then: Then = "keep"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """How the data variants of one download come to this machine.

    Attributes:
        variants: names of the data variants.
        gigabytes: size of the download, roughly; None if not looked up.
        files: what may be fetched freely; empty where a form, an agreement or handwork is needed.
        steps: what to do by hand, instead of fetching or after it.
        median: (least, most) metres that the median depth of an image may plausibly have; wrong units fall outside.
    """

    variants: tuple[str, ...]
    gigabytes: float | None = None
    files: tuple[RemoteFile, ...] = ()
    steps: tuple[str, ...] = ()
    median: tuple[float, float] | None = None


def read_sources(table: Path = TABLE) -> tuple[Source, ...]:
    """Read the table."""
    with table.open("rb") as file:
        return tuple(_source(entry) for entry in tomllib.load(file)["set"])


def source_of(variant: str, table: Path = TABLE) -> Source | None:
    """Return how a data variant comes here, or None if the table does not have it."""
    return next((source for source in read_sources(table) if variant in source.variants), None)


def _source(entry: dict[str, Any]) -> Source:
    median = entry.get("median")
    return Source(
        variants=tuple(entry["variants"]),
        gigabytes=entry.get("gigabytes"),
        files=tuple(_file(file) for file in entry.get("files", ())),
        steps=tuple(entry.get("steps", ())),
        median=None if median is None else (float(median[0]), float(median[1])),
    )


def _file(entry: dict[str, Any]) -> RemoteFile:
    algorithm = next((name for name in ("sha256", "md5") if name in entry), "sha256")
    return RemoteFile(
        url=entry["url"],
        to=entry["to"],
        size=entry.get("size"),
        algorithm=algorithm,
        digest=entry.get(algorithm),
        then=entry.get("then", "keep"),
    )
