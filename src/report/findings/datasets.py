"""All that was measured on one data variant, protocol by protocol."""

import dataclasses
import itertools
from collections.abc import Sequence

from src.report.findings.cells import Findings
from src.report.findings.leaderboard import Table


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


def data_sets(tables: Sequence[Table], findings: Findings) -> list[DataSet]:
    """Sort tables by data variant; they come in its order."""
    groups = itertools.groupby(tables, lambda table: table.key.data)
    return [_data_set(data, tuple(members), findings) for data, members in groups]


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
