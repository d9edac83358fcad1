"""Send a written report to Weights & Biases, with a layout of panels for the runs of the same project."""

import csv
import importlib
import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import wandb

from src.core.errors import ConfigError
from src.report.export.spreadsheet import FILES
from src.report.findings.leaderboard import Table
from src.report.findings.words import metric_label


def push(page: Path, tables: Sequence[Table], *, project: str) -> str:
    """Send a page and its tables as a run of its own, and save the layout of a dashboard.

    With WANDB_MODE=offline the run is kept on disk and no layout is saved, which only the service can hold.

    Args:
        page: as written; the tables lie beside it.
        tables: of the report.
        project: `project` or `entity/project`.

    Returns:
        What was done, for the user.

    Raises:
        ConfigError: if the service cannot be reached or refuses; what was written stays where it is.
    """
    entity, _, name = project.rpartition("/")
    try:
        run = wandb.init(project=name, entity=entity or None, job_type="report", name="report", dir=str(page.parent))
        artifact = wandb.Artifact("leadline-report", type="report")
        files = [page, *(page.with_name(name) for name in FILES)]
        for file in files:
            artifact.add_file(str(file))
        run.log_artifact(artifact)
        run.log(
            {
                "report": wandb.Html(page, inject=False),
                "leaderboard": _table(page.with_name("leaderboard.csv")),
                "ranks": _table(page.with_name("ranks.csv")),
            }
        )
        offline, place, owner = run.offline, Path(run.dir).parent, run.entity
        run.finish()
        if offline:
            return f"the report is kept on disk; to send it: wandb sync {place}"
        if importlib.util.find_spec("wandb_workspaces") is None:
            return "the report was sent; pip install 'leadline[dashboard]' to save the layout of a dashboard, too"
        return f"the report was sent; its dashboard: {layout(tables, entity=owner, project=name).save().url}"
    except wandb.errors.Error as error:
        msg = (
            f"Weights & Biases cannot be used: {error}; {page} is written. Try again, or keep the run on disk with "
            "WANDB_MODE=offline and send it later with wandb sync"
        )
        raise ConfigError(msg) from error


def _table(path: Path) -> wandb.Table:
    with path.open(encoding="utf-8", newline="") as file:
        header, *lines = csv.reader(file)
    numeric = {"mean", "standard_error", "low", "high", "n", "images_per_second", "latency_median", "latency_p95"}
    numeric |= {"peak_memory", "flops", "parameters", "clusters", "rank"}
    data = [
        [(float(text) if text else None) if name in numeric else text for name, text in zip(header, line, strict=True)]
        for line in lines
    ]
    return wandb.Table(columns=[*header], data=data)


def layout(tables: Sequence[Table], *, entity: str, project: str) -> Any:
    """Return a workspace: for each data variant and protocol its first metric, that against speed, and the pictures."""
    # an optional extra, whose modules fill themselves in at run time
    panels: Any = importlib.import_module("wandb_workspaces.reports.v2")
    workspaces: Any = importlib.import_module("wandb_workspaces.workspaces")

    sections = []
    shown = dict.fromkeys((table.key.data, table.key.protocol, table.metrics[0]) for table in tables)
    for data, protocol, metric in shown:
        key, label = f"{protocol}/{metric}", metric_label(metric)
        bars = panels.BarPlot(title=f"{label}, {protocol}", metrics=[key], max_bars_to_show=50)
        speed = panels.ScatterPlot(
            title=f"{label} against images per second", x=panels.SummaryMetric("images_per_second"),
            y=panels.SummaryMetric(key), log_x=True,
        )  # fmt: skip
        sections.append(workspaces.Section(name=f"{data}: {protocol}", panels=[bars, speed], is_open=True))
    pictures = panels.MediaBrowser(title="image, truth, prediction, error", media_keys=["pictures"], num_columns=1)
    sections.append(workspaces.Section(name="pictures", panels=[pictures], is_open=True))
    return workspaces.Workspace(
        entity=entity,
        project=project,
        name="Leadline",
        sections=sections,
        runset_settings=workspaces.RunsetSettings(groupby=[workspaces.Config("data_name")]),
    )
