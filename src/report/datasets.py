"""One section for each data variant: all that was measured on it, protocol by protocol."""

import dataclasses
import itertools

from src.report.cells import Findings
from src.report.leaderboard import Table
from src.report.section import Evidence, Section


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DataSet:
    """Everything about one data variant.

    Attributes:
        data: its name.
        tables: at least one.
        not_applicable: protocol -> models that it cannot score.
    """

    data: str
    tables: tuple[Table, ...]
    not_applicable: dict[str, tuple[str, ...]]


def build(evidence: Evidence) -> list[Section]:
    """Return a section for each data variant."""
    groups = itertools.groupby(evidence.tables, lambda table: table.key.data)
    return [
        Section(
            anchor=f"data-{place}",
            title=data,
            kind="Data set",
            template="dataset.html.jinja",
            view=_data_set(data, tuple(tables), evidence.findings),
        )
        for place, (data, tables) in enumerate(groups, start=1)
    ]


def _data_set(data: str, tables: tuple[Table, ...], findings: Findings) -> DataSet:
    protocols = [table.key.protocol for table in tables]
    return DataSet(
        data=data,
        tables=tables,
        not_applicable={protocol: _models_without(protocol, data, findings) for protocol in protocols},
    )


def _models_without(protocol: str, data: str, findings: Findings) -> tuple[str, ...]:
    manifests = [cell.manifest for cell in findings.cells]
    return tuple(sorted({one.model for one in manifests if one.data == data and protocol in one.not_applicable}))
