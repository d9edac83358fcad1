"""What of an interrupted run of a cell may be kept: records that say what this run would say."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

from src.core.errors import ConfigError, RecordsError
from src.engine.cell.content import Content, changed_images
from src.engine.cell.measurement import differences
from src.engine.cell.origin import Origin, read_origin, write_origin
from src.engine.cell.request import Measurement, Running
from src.engine.scoring.panels import damaged_panels
from src.engine.scoring.saved_predictions import is_whole
from src.records.folder import clear, has_records, refuse_misplaced
from src.records.reader import is_complete, read_manifest
from src.records.schema import PANELS_FOLDER, PREDICTIONS_FOLDER
from src.records.status import noted
from src.records.table import Scored
from src.records.writer import recover

log = logging.getLogger(__name__)


def refuse_foreign(measured: Measurement, folder: Path, *, force: bool) -> None:
    """Make sure that a folder is not another measurement's; hydra.run.dir may name any.

    Args:
        measured: what is to be measured.
        folder: of the cell.
        force: whether what is there is to be removed; then it need not be readable.

    Raises:
        ConfigError: if it holds results, finished or not, of another measurement; says where they differ.
        RecordsError: if what says whose they are is damaged, or something else stands in the place of a file.
    """
    refuse_misplaced(folder)
    try:
        owner, before = _owner(folder)
    except RecordsError:
        if not force:
            raise
        owner, before = _noted_owner(folder)
    if owner in ("", measured.fingerprint):
        return
    found = "; ".join(differences(before, measured.resolved)[:5]) or f"{owner} -> {measured.fingerprint}"
    msg = (
        f"{folder} holds results of another measurement ({found}), and a folder belongs to one: name another, or leave "
        "hydra.run.dir and hydra.sweep out, which make one for each measurement"
    )
    raise ConfigError(msg)


def _owner(folder: Path) -> tuple[str, Mapping[str, object]]:
    """Return the fingerprint and the configuration of whose results a folder holds; "" and {} of nobody's.

    Raises:
        RecordsError: if what says so is damaged.
    """
    if is_complete(folder):
        manifest = read_manifest(folder)
        return manifest.fingerprint, manifest.config
    try:
        origin = read_origin(folder)
    except RecordsError:
        owner, before = _noted_owner(folder)
        if owner:  # said twice
            return owner, before
        raise
    return (origin.fingerprint, origin.measured) if origin is not None else _noted_owner(folder)


def _noted_owner(folder: Path) -> tuple[str, Mapping[str, object]]:
    said = noted(folder)
    owner, before = said.get("fingerprint", ""), said.get("measured", {})
    return (owner, before) if isinstance(owner, str) and isinstance(before, dict) else ("", {})


def resume(
    measured: Measurement,
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
    if those of the model have, or if the scores are of saved predictions and the model's own are wanted now. So they
    are if nothing says, or can say any more, what was scored.

    Args:
        measured: what is measured.
        run: how the cell is run.
        folder: of the cell.
        sample_ids: in order of their index.
        protocols: version of each protocol.
        rescored_from: cell whose saved predictions are to be scored; "" if the model predicts.
        content: of the files of now, which is written down for the next time.
    """
    before, other_model = _before(run, folder), False
    if before is not None:
        other_model = "model" in before.content and before.content["model"] != content.get("model")
    if other_model and not run.force:
        log.warning("The files of the model have changed since it was interrupted: all images are scored again.")
    other_source = before is not None and before.rescored_from != rescored_from
    unknown = before is None and has_records(folder)
    if run.force or other_source or other_model or unknown:
        # saved predictions took the longest, and a cell that is rescored did not need its own
        keeps_predictions = run.rescore or not (run.force or other_model or unknown)
        clear(folder, others=(PANELS_FOLDER,) if keeps_predictions else (PANELS_FOLDER, PREDICTIONS_FOLDER))
    changed = changed_images(before.content, content) if before is not None else frozenset()
    spoilt = {sample_ids[index] for index in damaged_panels(folder) if index < len(sample_ids)}

    def is_usable(name: str) -> bool:
        return name not in changed and name not in spoilt and (not run.save_predictions or is_whole(folder, name))

    kept = recover(folder, sample_ids, protocols, is_usable)
    if kept:
        if changed:
            log.warning("%d images have other files than when they were scored: they are scored again.", len(changed))
        if spoilt:
            log.warning("The pictures of %d images are damaged: they are scored again.", len(spoilt))
        log.info("Resuming: %d of %d images have been scored before.", len(next(iter(kept.values()))), len(sample_ids))
    write_origin(
        folder,
        Origin(
            fingerprint=measured.fingerprint,
            measured=dict(measured.resolved),
            rescored_from=rescored_from,
            content=content,
        ),
    )
    return kept


def _before(run: Running, folder: Path) -> Origin | None:
    """Return what the records that are there were scored from; None, with a word, if that is not known."""
    try:
        before = read_origin(folder)
    except RecordsError as error:
        if not run.force:
            log.warning("%s; all images are scored again, since it is not known what they were scored from.", error)
        return None
    if before is None and has_records(folder) and not run.force:
        log.warning("%s: nothing says what its records were scored from: all images are scored again.", folder)
    return before
