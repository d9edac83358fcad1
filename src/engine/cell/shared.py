"""Score what had to wait for all images of a cell: the protocols whose fits images share."""

import dataclasses
import logging
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from src.core.aligned import Fit
from src.core.prediction import OutputSpace
from src.engine.cell.plan import Plan
from src.engine.scoring.panels import Arrays, Complete
from src.engine.scoring.pixel_store import read_pixels
from src.engine.scoring.shared_panels import with_shared_fits
from src.engine.scoring.sharing import score_shared, shared_only
from src.protocol.evaluation import EvalProtocol
from src.records.schema import FITS_FILE, RECORDS_FILE
from src.records.table import Scored, write_table
from src.records.writer import write_json

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Completed:
    """The scores of all protocols, and what completes pictures with them (see `PanelWriter.close`); None if nothing."""

    scores: dict[str, Scored]
    complete: Complete | None


def shared_fits(folder: Path, plan: Plan, scores: Mapping[str, Scored]) -> Completed:
    """Fit and score from the pixels that were kept; in one process, in the order of the split.

    Whoever has predicted an image, and in which order, changes no digit.

    Args:
        folder: of the cell, whose records are written anew.
        plan: that was run.
        scores: by protocol; without errors where images share a fit.
    """
    shared = shared_only(plan.protocols)
    if not shared:
        return Completed(scores=dict(scores), complete=None)
    space: OutputSpace = plan.model.space  # type: ignore[assignment]  # as every model declares
    depth_range = plan.datamodule.dataset.depth_range  # type: ignore[attr-defined]
    pixels = partial(read_pixels, folder, space=space, depth_range=depth_range)
    found = {}
    for name, protocol in shared.items():
        log.info("Fitting and scoring under %s.", name)
        found[name] = score_shared(protocol, scores[name], pixels)
    done = {**scores, **{name: one.records for name, one in found.items()}}
    write_table(folder / RECORDS_FILE, done)
    write_json(folder / FITS_FILE, {name: one.fits for name, one in found.items()})

    def complete(index: int, arrays: Arrays) -> Arrays:
        fits: dict[str, tuple[EvalProtocol, Fit | None]] = {
            name: (shared[name], one.fit_of.get(index)) for name, one in found.items()
        }
        return with_shared_fits(arrays, fits, space=space, depth_range=depth_range)

    return Completed(scores=done, complete=complete)
