"""What of an interrupted run of a cell may be kept: records that say what this run would say."""

import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

from src.core.errors import ConfigError
from src.engine.cell.content import Content, changed_images
from src.engine.cell.measurement import differences
from src.engine.cell.request import Measurement, Running
from src.engine.scoring.pixel_store import FOLDER as PIXELS
from src.engine.scoring.pixel_store import has_pixels
from src.engine.scoring.saved_predictions import FOLDER, is_whole
from src.records.reader import is_complete, read_manifest
from src.records.schema import CONTENT_FILE, PANELS_FOLDER
from src.records.status import noted
from src.records.table import Scored
from src.records.writer import clear, recover, write_json

log = logging.getLogger(__name__)


def refuse_foreign(measured: Measurement, folder: Path) -> None:
    """Make sure that a folder is not another measurement's; hydra.run.dir may name any.

    Args:
        measured: what is to be measured.
        folder: of the cell.

    Raises:
        ConfigError: if it holds results, finished or not, of another measurement; says where they differ.
    """
    if is_complete(folder):
        manifest = read_manifest(folder)
        owner, before = manifest.fingerprint, manifest.config
    else:
        noted_there = noted(folder)
        owner, before = noted_there.get("fingerprint", ""), noted_there.get("measured", {})
    if owner in ("", measured.fingerprint):
        return
    found = "; ".join(differences(before, measured.resolved)[:5]) or f"{owner} -> {measured.fingerprint}"
    msg = (
        f"{folder} holds results of another measurement ({found}), and a folder belongs to one: name another, or leave "
        "hydra.run.dir and hydra.sweep out, which make one for each measurement"
    )
    raise ConfigError(msg)


def resume(
    run: Running,
    folder: Path,
    *,
    sample_ids: Sequence[str],
    protocols: Mapping[str, int],
    rescored_from: str,
    content: Content,
    keeps_pixels: bool = False,
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
        keeps_pixels: whether the pixels of each image are needed again at the end.
    """
    before = _read(folder / CONTENT_FILE)
    other_source = noted(folder).get("rescored_from", "") != rescored_from
    other_model = "model" in before and before["model"] != content.get("model")
    if other_model and not run.force:
        log.warning("The files of the model have changed since it was interrupted: all images are scored again.")
    if run.force or other_source or other_model:
        # saved predictions took the longest, and a cell that is rescored did not need its own
        keeps_predictions = run.rescore or not (run.force or other_model)
        clear(folder, others=(PANELS_FOLDER, PIXELS, *(() if keeps_predictions else (FOLDER,))))
    changed = changed_images(before, content)

    def is_usable(name: str) -> bool:
        kept_too = not run.save_predictions or is_whole(folder, name)
        return name not in changed and kept_too and (not keeps_pixels or has_pixels(folder, name))

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
