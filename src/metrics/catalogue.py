"""The built-in metrics by name."""

import importlib
from types import MappingProxyType
from typing import Final

from src.core.errors import ConfigError
from src.metrics import boundary, clouds, depth, ibims, ordinal, points
from src.metrics.base import DepthMetric

_BUILT_IN: Final[tuple[type[DepthMetric], ...]] = (
    depth.AbsRel,
    depth.AbsRelMoGe,
    depth.SqRel,
    depth.SqRelKitti,
    depth.MAE,
    depth.RMSE,
    depth.RMSELog,
    depth.RMSELog10,
    depth.Log10,
    depth.LogMAE,
    depth.MedianLog,
    depth.SILog,
    depth.SILogLog10,
    depth.SILogStd,
    depth.SILogHalf,
    depth.IMAE,
    depth.IRMSE,
    depth.SSITrimmedMAE,
    depth.Delta1,
    depth.Delta2,
    depth.Delta3,
    depth.DeltaHalf,
    depth.Delta105,
    depth.Delta110,
    depth.Tau,
    depth.DeltaAUC,
    depth.Delta1Error,
    ordinal.PairAccuracy,
    ordinal.WHDR,
    boundary.BoundaryF1,
    boundary.BoundaryRecall,
    boundary.BoundaryF1Radius1,
    boundary.BoundaryF1Radius2,
    boundary.BoundaryF1Radius3,
    ibims.DDE0,
    ibims.DDEMinus,
    ibims.DDEPlus,
    ibims.DBEAccuracy,
    ibims.DBECompleteness,
    ibims.EdgeAccuracy,
    ibims.EdgeCompleteness,
    ibims.PEFlatness,
    ibims.PEOrientation,
    clouds.Chamfer,
    clouds.FScore10,
    clouds.FScore20,
    points.PointRelShift,
    points.PointDelta1Shift,
    points.PointRelScale,
    points.PointDelta1Scale,
    points.PointRelAffine,
    points.PointDelta1Affine,
    points.LocalPointRel,
    points.LocalPointDelta1,
)
METRICS: Final = MappingProxyType({metric.name: metric for metric in _BUILT_IN})


def metric_named(name: str) -> type[DepthMetric]:
    """Return the metric class of that name, or the class at a dotted import path.

    Raises:
        ConfigError: if there is none, or what is there is not a `DepthMetric`.
    """
    if name in METRICS:
        return METRICS[name]
    module, _, attribute = name.rpartition(".")
    try:
        found = getattr(importlib.import_module(module), attribute) if module else None
    except (ImportError, AttributeError) as error:
        msg = f"metric {name!r}: expected an importable DepthMetric class, but {error}"
        raise ConfigError(msg) from error
    if not (isinstance(found, type) and issubclass(found, DepthMetric)):
        msg = (
            f"unknown metric {name!r}: expected one of {', '.join(METRICS)}, or the dotted path of a DepthMetric class"
        )
        raise ConfigError(msg)
    return found
