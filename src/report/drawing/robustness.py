"""Charts of errors under corruption, by severity."""

from collections.abc import Sequence
from statistics import fmean

from src.records.robustness import FAMILIES, SEVERITIES
from src.report.drawing.chart import Chart, Datum, Series, draw
from src.report.findings.robustness import Trial


def severity_charts(trials: Sequence[Trial]) -> list[tuple[Chart, ...]]:
    """Draw for each trial one chart for each family of corruptions that its models share."""
    charts = [
        [_chart(family, trial, f"robustness-{place}-{number}") for number, family in enumerate(FAMILIES, start=1)]
        for place, trial in enumerate(trials, start=1)
    ]
    return [tuple(chart for chart in one if chart is not None) for one in charts]


def _chart(family: str, trial: Trial, anchor: str) -> Chart | None:
    """Draw means over the corruptions of a family that all models with any of it have; a value wants all of them."""
    held = [model for model in trial.models if any(one in model.means for one in FAMILIES[family])]
    shared = [one for one in FAMILIES[family] if all(one in model.means for model in held)]
    series = []
    for model in held if shared else []:
        data = [] if model.clean is None else [Datum(x=0.0, y=model.clean, name=f"{model.name}, clean")]
        for level in SEVERITIES:
            values = [model.means[one][level] for one in shared if level in model.means[one]]
            if len(values) == len(shared):
                data.append(Datum(x=float(level), y=fmean(values), name=f"{model.name}, severity {level}"))
        if data:
            series.append(Series(name=model.name, model=model.model, data=tuple(data), faded=bool(model.unranked)))
    if not series:
        return None
    what = ", ".join(shared).replace("_", " ")
    return draw(
        series,
        anchor=anchor,
        protocol=trial.key.protocol,
        data=trial.key.data,
        title=f"{family.capitalize()}: {what}",
        summary=(
            f"{trial.label}, of {len(series)} models on {trial.key.data} under {trial.key.protocol}, by severity; "
            f"mean over {what}."
        ),
        x_label="severity (0: clean)",
        y_label=trial.label,
        x_ticks=(0.0, *map(float, SEVERITIES)),
    )
