"""The page that `verify` writes: the checks, and image, depth and valid pixels of three samples side by side."""

import base64
import html
import io
from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure

from src.core.sample import Sample
from src.data.readiness.verify import Findings

_MARK = {True: ("passed", "✓"), False: ("failed", "✗"), None: ("unknown", "–")}
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 76rem; padding: 0 1rem; color: #1c1c1c; }
h1 { font-size: 1.4rem; margin-bottom: 0; } h2 { font-size: 1rem; margin: 2rem 0 .3rem; font-weight: 600; }
table { border-collapse: collapse; margin: 1rem 0; } td { padding: .3rem .9rem .3rem 0; vertical-align: top; }
td:first-child { width: 1.5rem; text-align: center; font-weight: 700; } td:nth-child(2) { white-space: nowrap; }
td:nth-child(3) { overflow-wrap: anywhere; }
.passed { color: #0a7a3d; } .failed { color: #b3261e; } .unknown { color: #777; } img { width: 100%; height: auto; }
p { margin: .2rem 0; color: #555; }
"""


def render(variant: str, headline: str, findings: Findings) -> str:
    """Return the page as HTML that needs no other file."""
    rows = "\n".join(
        f'<tr class="{_MARK[check.passed][0]}"><td>{_MARK[check.passed][1]}</td><td>{html.escape(check.name)}</td>'
        f"<td>{html.escape(check.detail)}</td></tr>"
        for check in findings.checks
    )
    verdict = "nothing speaks against these files" if findings.passed else "something is wrong with these files"
    shown = _spread(findings.samples)
    pictures = "\n".join(
        f"<h2>{html.escape(sample.sample_id[0])}</h2>\n"
        f'<img alt="image, depth and valid pixels" src="data:image/png;base64,{_panels(sample)}">'
        for sample in shown
    )
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{html.escape(variant)}</title>'
        f"<style>{_STYLE}</style><h1>{html.escape(variant)}: {verdict}</h1><p>{html.escape(headline)}</p>"
        f"<table>{rows}</table>\n{pictures}</html>\n"
    )


def _spread(samples: Sequence[Sample]) -> list[Sample]:
    """First, middle and last."""
    return [samples[i] for i in sorted({0, len(samples) // 2, len(samples) - 1})] if samples else []


def _panels(sample: Sample) -> str:
    """Image, depth with its scale, and the pixels that count, as a PNG in base64."""
    h, w = sample.size
    step = -(-max(h, w) // 800)  # pixels are picked, as averages would invent depths
    image = sample.image[0, :, ::step, ::step].permute(1, 2, 0).numpy()
    depth, valid = sample.depth[0, 0, ::step, ::step].numpy(), sample.valid[0, 0, ::step, ::step].numpy()
    figure = Figure(figsize=(12, 4 * h / w + 0.75), layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    left.imshow(image)
    left.set_title(f"image, {h} × {w}")
    colours = mpl.colormaps["turbo"].with_extremes(bad="#dddddd")
    low, high = np.percentile(depth[valid], (2, 98)) if valid.any() else (0.0, 1.0)
    drawn = middle.imshow(
        np.where(valid, depth, np.nan), cmap=colours, vmin=low, vmax=max(high, low + 1e-6), interpolation="nearest"
    )
    middle.set_title("ground truth depth, grey: not counted")
    figure.colorbar(drawn, ax=middle, orientation="horizontal", shrink=0.9, label="metres", extend="both")
    right.imshow(valid, cmap=ListedColormap(["#dddddd", "#1f5fa8"]), vmin=0, vmax=1, interpolation="nearest")
    right.set_title(f"pixels that count (blue): {sample.valid.double().mean():.1%}")
    for axis in (left, middle, right):
        axis.set_axis_off()
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=100, bbox_inches="tight", pad_inches=0.1)
    return base64.b64encode(buffer.getvalue()).decode()
