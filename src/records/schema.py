"""What is written about a cell: one measurement of one model on one data variant."""

import dataclasses
from typing import Any, Literal

ImageStatus = Literal["ok", "skipped", "failed"]

RECORDS_FILE = "records.parquet"
MANIFEST_FILE = "manifest.json"
SUMMARY_FILE = "summary.json"
CONFIG_FILE = "config.yaml"
PROFILE_FILE = "profile.json"
TRACE_FILE = "trace.json"
PANELS_FOLDER = "panels"
FITS_FILE = "fits.json"
"""Protocol -> the fits that several images share, and the mean errors with each; only where a protocol has such."""
CONTENT_FILE = "files.json"
"""Digests of the files that each image of a running cell is made from."""
SAVED_PRECISIONS = ("float32", "float16")
"""Of saved predictions: float32 keeps every digit, so that scores are the same to the bit; float16 takes half the space
and keeps 11 bits."""
PREDICTIONS_FILE = "predictions.json"
"""Marks a folder of predicted maps, which is no cell, and holds the settings that made them."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SampleRecord:
    """One image under one protocol: a row of the log that a run keeps while it goes. Read back in columns (`table`).

    Attributes:
        index: position in the split.
        sample_id: name of the image, unique in the split.
        cluster: what it shares with images that are alike by construction; "" for none.
        slice: what reports break down by; "" for none.
        protocol: protocol name.
        protocol_version: its version.
        status: ok; skipped (no valid pixel, too few different true depths for the fit, or an unreadable file: the
            data's fault); failed (non-finite prediction, or one that its output space rules out: the model's fault).
        reason: why the files of a skipped image could not be read, or what is wrong with a failed prediction; else "".
        valid_pixels: number of pixels scored.
        scale: fitted scale, or None where undefined.
        shift: fitted shift, metres or 1/m as the protocol fits, or None where undefined.
        errors: metric name -> value, None where undefined.
        weights: metric name -> how much the value counts in the mean, for metrics whose `mean_over` is not images.
        input_size: (height, width) in pixels of what the network saw.
        seconds: inference time of the batch divided by its images.
        depth_pixels: valid pixels in each bin of depth, () where none were kept.
        depth_abs_rel: mean abs_rel of those pixels, None where a bin is empty.
    """

    index: int
    sample_id: str
    cluster: str
    slice: str
    protocol: str
    protocol_version: int
    status: ImageStatus
    valid_pixels: int
    scale: float | None
    shift: float | None
    errors: dict[str, float | None]
    weights: dict[str, float] = dataclasses.field(default_factory=dict)
    input_size: tuple[int, int]
    seconds: float
    reason: str = ""
    depth_pixels: tuple[int, ...] = ()
    depth_abs_rel: tuple[float | None, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class MetricInfo:
    """Unit and direction of a metric and what its mean runs over, so that a report needs no code of ours to read it."""

    unit: str
    higher_is_better: bool
    mean_over: str = "images"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ProtocolInfo:
    """What a protocol was when it was applied.

    Attributes:
        version: of the protocol.
        fitted_in: quantity that scale and shift were fitted in.
        clip: (nearest, farthest) metres predictions were clipped to, or None.
        metrics: by name.
        fit_over: what one fit holds for: image, sequence, data_set, calibration(images, folds) or points(n, layout).
    """

    version: int
    fitted_in: str
    clip: tuple[float, float] | None
    metrics: dict[str, MetricInfo]
    fit_over: str = "image"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RunManifest:
    """Everything about a cell that is not per image; written last, so its presence means the cell is complete.

    Attributes:
        schema: version of this layout; 2 keeps the records in columns.
        model: yaml name of the model, as on the command line.
        data: yaml name of the data variant.
        resolution: as on the command line.
        fingerprint: hash of the measurement; names the folder.
        config: the resolved configuration of the measurement.
        output_space: of the model's predictions.
        card: fields of the model's `ModelCard`; empty if it has none.
        corruption: of the images, "none" for none.
        severity: of the corruption, 1 to 5; 0 for none.
        depth_edges: metres of the k + 1 edges of the bins of depth that records have; empty without bins.
        data_family: name of the data set that the variant is of, as in the training data of cards; "" if unknown.
        weights: hub id, path or "none".
        revision: exact revision of the weights, "" if none.
        random_weights: the weights are untrained: never ranked.
        uses_ground_truth: the model was shown the answer: never ranked.
        space_declared: only the user says that predictions are in `output_space`; nothing here knows the model.
        parameters: number of model parameters.
        settings: of the model, that its weights brought along: such as Marigold's steps, scheduler and type of numbers.
        protocols: scored protocols.
        not_applicable: requested protocols that cannot score the output space, or need annotations the data lack.
        expected: images in the run.
        limited: only a part of the split was asked for: never ranked.
        scored, skipped, failed: protocol -> number of images.
        unreadable: images whose files could not be read and that are skipped under every protocol: never ranked.
        seed: of stochastic models.
        world_size: processes.
        halved: batches that did not fit into memory and were predicted in halves, since the run last went on.
        device: name of the accelerator or processor.
        dtype: of the network's arithmetic: float32, tf32, tf32_convolutions, bfloat16 or float16; "32-true" of older
            cells is float32.
        batch_size: images read per step and device; 0 if unknown, as in cells of before this was kept.
        batch_trials: where that number was found by trying (batch_size=auto), seconds that one image took process 0 by
            the number of images a step; empty where it was given, or where there was nothing to try.
        latency_median, latency_p95: seconds from a batch on the device to its predictions, the device waited for and
            the first batch of every process left out; None if unknown.
        peak_memory: the most bytes that one process held since prediction started: of tensors on CUDA, of everything
            on the CPU; 0 if unknown.
        flops: floating-point operations of predicting for the first image; 0 if unknown.
        compute: settings of how the network computes that are not the default, such as compile.
        images_per_second: images divided by the time of the prediction loop, start-up excluded.
        git_revision: of this software, "" outside a checkout; "+dirty" marks uncommitted changes.
        versions: package -> version.
        started, finished: UTC, ISO 8601.
        content: "data" and "model" -> how many images or files were read and a digest of them, which tells whether
            they have changed since; {} of what has no files.
        saved_predictions: precision in which the predictions lie beside the records, "" where they do not.
        rescored_from: fingerprint of the cell whose saved predictions were scored in place of the model; "" if none.
        rescored_precision: of those predictions; where it is not float32 digits differ from the model's own, and the
            cell is never ranked.
    """

    schema: int = 2
    model: str
    data: str
    resolution: str
    fingerprint: str
    config: dict[str, Any]
    output_space: str
    weights: str
    revision: str
    random_weights: bool
    uses_ground_truth: bool
    parameters: int
    protocols: dict[str, ProtocolInfo]
    not_applicable: list[str]
    expected: int
    limited: bool
    scored: dict[str, int]
    skipped: dict[str, int]
    failed: dict[str, int]
    seed: int
    world_size: int
    device: str
    dtype: str
    images_per_second: float
    git_revision: str
    versions: dict[str, str]
    started: str
    finished: str
    unreadable: int = 0
    space_declared: bool = False
    settings: dict[str, Any] = dataclasses.field(default_factory=dict)
    card: dict[str, Any] = dataclasses.field(default_factory=dict)
    data_family: str = ""
    corruption: str = "none"
    severity: int = 0
    depth_edges: list[float] = dataclasses.field(default_factory=list)
    halved: int = 0
    content: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict)
    saved_predictions: str = ""
    rescored_from: str = ""
    rescored_precision: str = ""
    batch_size: int = 0
    batch_trials: dict[str, float] = dataclasses.field(default_factory=dict)
    latency_median: float | None = None
    latency_p95: float | None = None
    peak_memory: int = 0
    flops: int = 0
    compute: dict[str, Any] = dataclasses.field(default_factory=dict)
