import dataclasses
import re

import pytest

from src.core.errors import ConfigError
from src.metrics.base import DepthMetric
from src.metrics.catalogue import METRICS, metric_named
from src.metrics.comparison import Comparison
from src.metrics.depth import AbsRel
from src.metrics.mean import MeanError

every_metric = pytest.mark.parametrize("metric", METRICS.values(), ids=lambda metric: metric.name)


@every_metric
def test_every_entry_says_what_it_is(metric):
    assert issubclass(metric, DepthMetric)
    assert metric_named(metric.name) is metric
    assert re.fullmatch(r"[a-z][a-z0-9_]*", metric.name)
    assert metric.unit in {"fraction", "percent", "m", "1/m", "cm", "degrees", "pixels", ""}
    assert metric.higher_is_better in {True, False}
    assert MeanError(metric()).columns == (metric.name,)


@every_metric
def test_every_docstring_names_the_quantity_and_gives_its_formula(metric):
    name, _, formula = metric.__doc__.splitlines()[0].partition(": ")
    assert name
    assert formula.endswith(".")
    assert metric.__doc__ != DepthMetric.__doc__


ANNOTATIONS = ("point_pairs", "segments", "edges", "plane_normals", "intrinsics")


@every_metric
@pytest.mark.parametrize("missing", ANNOTATIONS)
def test_every_entry_declares_the_annotations_that_it_reads(metric, missing, annotated_pair):
    sample = dataclasses.replace(annotated_pair.sample, **{missing: None})
    pair = Comparison(annotated_pair.aligned, sample)
    if missing in metric.requires:
        with pytest.raises(ConfigError, match=f"expected data with {missing}, "):
            metric().per_image(pair)
    else:
        metric().per_image(pair)


def test_names_are_unique():
    assert len({metric.__name__ for metric in METRICS.values()}) == len(METRICS)
    assert all(name == metric.name for name, metric in METRICS.items())


def test_a_class_from_elsewhere_is_found_by_its_dotted_path():
    assert metric_named("src.metrics.depth.AbsRel") is AbsRel


def test_an_unknown_name_lists_what_exists():
    with pytest.raises(
        ConfigError, match=r"unknown metric 'abs_real': expected one of abs_rel, .*, sq_rel, .*delta1_error"
    ):
        metric_named("abs_real")


@pytest.mark.parametrize(
    ("name", "reason"),
    [("nowhere.at.all.Metric", "No module named 'nowhere'"), ("src.metrics.depth.AbsReal", "no attribute 'AbsReal'")],
)
def test_a_path_that_leads_nowhere_says_so(name, reason):
    with pytest.raises(
        ConfigError, match=rf"metric '{name}': expected an importable DepthMetric class, but .*{reason}"
    ):
        metric_named(name)


@pytest.mark.parametrize("name", ["src.metrics.catalogue.METRICS", "src.core.sample.Sample"])
def test_something_that_is_no_metric_is_refused(name):
    with pytest.raises(ConfigError, match=f"unknown metric '{name}'"):
        metric_named(name)
