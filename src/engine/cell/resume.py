"""What of an interrupted run of a cell may be kept: records that say what this run would say."""

import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

from src.engine.cell.content import Content, changed_images
from src.engine.cell.request import Running
from src.engine.scoring.saved_predictions import FOLDER, is_whole
from src.records.schema import CONTENT_FILE, PANELS_FOLDER
from src.records.status import noted
from src.records.table import Scored
from src.records.writer import clear, recover, write_json

log = logging.getLogger(__name__)


def resume(
    run: Running,
    folder: Path,
    *,
    sample_ids: Sequence[str],
    protocols: Mapping[str, int],
    rescored_from: str,
    content: Content,
) -> dict[str, Scored]:
    """Return what an interrupted run of this cell has scored; nothing if the cell is to be run again from the start.

    Kept is what was scored from the same files: an image whose files have changed is scored again, and all images are
    if those of the model have, or if the scores are of saved predictions and the model's own are wanted now.

    Args:
        run: how the cell is run.
        folder: of the cell.
        sample_ids: in order of their index.
        protocols: version of each protocol.
        rescored_from: cell whose saved predictions are to be scored; "" if the model predicts.
        content: of the files of now, which is written down for the next time.
    """
    before = _read(folder / CONTENT_FILE)
    other_source = noted(folder).get("rescored_from", "") != rescored_from
    other_model = "model" in before and before["model"] != content.get("model")
    if other_model and not run.force:
        log.warning("The files of the model have changed since it was interrupted: all images are scored again.")
    if run.force or other_source or other_model:
        # saved predictions took the longest, and a cell that is rescored did not need its own
        keeps_predictions = run.rescore or not (run.force or other_model)
        clear(folder, others=(PANELS_FOLDER,) if keeps_predictions else (PANELS_FOLDER, FOLDER))
    changed = changed_images(before, content)

    def is_usable(name: str) -> bool:
        return name not in changed and (not run.save_predictions or is_whole(folder, name))

    kept = recover(folder, sample_ids, protocols, is_usable)
    if kept:
        if changed:
            log.warning("%d images have other files than when they were scored: they are scored again.", len(changed))
        log.info("Resuming: %d of %d images have been scored before.", len(next(iter(kept.values()))), len(sample_ids))
    write_json(folder / CONTENT_FILE, content)
    return kept


def _read(path: Path) -> Content:
    try:
        content: Content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return content
