"""Procedural surfaces: patterns that fade before they alias, sunlight with cast shadows, and haze."""

import dataclasses
import enum
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float32, Float64, Int32, UInt8

from src.data.built_in.scene import FACES, SKY, Camera, Plane, Real, Shape, Vector

Colour = tuple[float, float, float]
_TILE = 128
_WIDEST_CASTER = 100  # metres


class Pattern(enum.Enum):
    """How the two colours of a material alternate over a surface."""

    MOTTLED = enum.auto()
    CHECKS = enum.auto()
    STRIPES = enum.auto()
    BRICKS = enum.auto()
    PLANKS = enum.auto()
    WINDOWS = enum.auto()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """A pattern of two sRGB colours (0..1) that repeats every `period` metres."""

    pattern: Pattern
    colours: tuple[Colour, Colour]
    period: Real


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Light:
    """Light from one far source and from everywhere.

    Attributes:
        towards: world direction to the source; need not be a unit vector.
        sky: colours at the horizon and straight up.
        haze: metres over which the horizon's colour replaces 63 % of a surface's, or inf.
    """

    towards: Vector
    sky: tuple[Colour, Colour]
    haze: Real


class Noise:
    """A smooth random field, about -1..1, that repeats every unit square in both directions.

    Args:
        rng: drawn from once; spectral amplitude falls as 1/f like that of natural textures.
    """

    def __init__(self, rng: np.random.Generator) -> None:
        spectrum = np.fft.rfft2(rng.random((_TILE, _TILE)) - 0.5)
        frequency = np.hypot(np.fft.fftfreq(_TILE)[:, None], np.fft.rfftfreq(_TILE)[None, :])
        spectrum /= np.maximum(frequency, 1 / _TILE) ** 1.2
        spectrum[frequency > 0.25] = 0  # bilinear look-up of finer detail would show its grid
        spectrum[0, 0] = 0
        field = np.fft.irfft2(spectrum, (_TILE, _TILE))
        self._tile = (field / (2 * field.std())).astype(np.float32).reshape(-1)

    def __call__(self, u: Float32[np.ndarray, " n"], v: Float32[np.ndarray, " n"]) -> Float32[np.ndarray, " n"]:
        """Bilinear look-up at points in units of the period."""
        x, y = u * _TILE, v * _TILE
        left, top = np.floor(x), np.floor(y)
        fx, fy = x - left, y - top
        column, row = left.astype(np.intp), top.astype(np.intp)
        columns, rows = (column % _TILE, (column + 1) % _TILE), (row % _TILE * _TILE, (row + 1) % _TILE * _TILE)
        upper, lower = ((1 - fx) * self._tile[r + columns[0]] + fx * self._tile[r + columns[1]] for r in rows)
        return np.asarray(upper + fy * (lower - upper))


def render(
    shapes: Sequence[Shape],
    materials: Sequence[Material],
    light: Light,
    camera: Camera,
    rays: Float64[np.ndarray, "3 h w"],
    depth: Float64[np.ndarray, "h w"],
    surface: Int32[np.ndarray, "h w"],
    noise: Noise,
) -> UInt8[np.ndarray, "h w 3"]:
    """Colour what `scene.cast` found.

    Args:
        shapes: the scene.
        materials: one for each shape.
        light: see `Light`.
        camera: the one that the rays come from.
        rays: (3, h, w) of the camera.
        depth: (h, w) metres, inf for sky.
        surface: (h, w) as of `scene.cast`.
        noise: texture of everything.

    Returns:
        (h, w, 3) sRGB.
    """
    colour = np.empty((surface.size, 3), np.float32)
    labels = surface.reshape(-1)
    flat_depth, flat_rays = depth.astype(np.float32).reshape(-1), rays.astype(np.float32).reshape(3, -1)
    order = np.argsort(labels.astype(np.int16), kind="stable")  # 16 bits are sorted by counting, ten times faster
    bounds = np.flatnonzero(np.diff(labels[order])) + 1
    towards = np.array(light.towards, np.float32) / np.float32(np.linalg.norm(light.towards))
    for pixels in np.split(order, bounds):
        label = int(labels[pixels[0]])
        seen = flat_rays[:, pixels]
        if label == SKY:
            colour[pixels] = _sky(seen, light, noise)
            continue
        k, face = divmod(label, FACES)
        z = flat_depth[pixels]
        points = z * seen
        coordinates, normals = shapes[k].surface(points, face)
        length = np.sqrt(np.square(seen).sum(0))
        cosine = np.maximum(-(normals * seen).sum(0) / length, 1e-3)
        footprint = z / (float(camera.intrinsics[0, 0]) * cosine)  # metres of surface in a pixel
        u, v = coordinates
        sunlit = np.maximum(towards @ normals, 0) * np.ones_like(z)
        facing = np.flatnonzero(sunlit)
        if facing.size:
            sunlit[facing] *= _unshadowed(points[:, facing], towards, shapes, k)
        shade = 0.5 - 0.06 * normals[1] + 0.55 * sunlit  # a little more from above than from below
        haze = 1 - np.exp(-z * length / light.haze)
        lit = paint(materials[k], u, v, footprint, noise) * shade[:, None]
        colour[pixels] = lit + haze[:, None] * (np.array(light.sky[0], np.float32) - lit)
    return (np.clip(colour, 0, 1) * 255 + 0.5).astype(np.uint8).reshape(*surface.shape, 3)


def paint(
    material: Material,
    u: Float32[np.ndarray, " n"],
    v: Float32[np.ndarray, " n"],
    footprint: Float32[np.ndarray, " n"],
    noise: Noise,
) -> Float32[np.ndarray, "n 3"]:
    """Colour of a material at points (u, v) in metres, averaged over `footprint` metres."""
    first, second = (np.array(colour, np.float32) for colour in material.colours)
    u, v, blur = u / material.period, v / material.period, footprint / material.period
    match material.pattern:
        case Pattern.MOTTLED:
            share = np.full_like(u, 0.5)
        case Pattern.CHECKS:
            share = 0.5 + 0.5 * _wave(u, blur) * _wave(v, blur)
        case Pattern.STRIPES:
            share = 0.5 + 0.5 * _wave(u, blur)
        case Pattern.BRICKS:
            row = np.floor(v)
            share = _either(_line(v, 0.14, blur), _line(u / 2 + 0.5 * (row % 2), 0.07, blur / 2))
        case Pattern.PLANKS:
            row = np.floor(v)
            tone = np.modf(np.abs(np.sin(12.9898 * row)) * 437.585)[0]  # scrambles the number of the plank into 0..1
            share = _either(0.3 + 0.6 * (tone - 0.5) * np.clip(1.5 - blur, 0, 1), _line(v, 0.04, blur))
        case Pattern.WINDOWS:
            share = _either(_line(u, 0.5, blur), _line(v, 0.45, blur))
    grain = noise(u / 7, v / 7) * np.clip(2 - blur, 0, 1) + 0.5 * noise(u / 1.7, v / 1.7) * np.clip(
        1.5 - 5 * blur, 0, 1
    )
    stretch = np.float32(0.5 if material.pattern is Pattern.MOTTLED else 0.08)
    share = np.clip(share + stretch * grain, 0, 1)[:, None]
    return np.asarray(first + share * (second - first)) * (1 + 0.06 * grain[:, None])


def _wave(x: np.ndarray, blur: np.ndarray) -> np.ndarray:
    """Square wave -1..1 of period 1, its steps as wide as a pixel, gone where a pixel sees half a period."""
    steps = np.clip(np.sin(2 * np.pi * x) / (2 * np.pi * np.maximum(blur, 0.01)), -1, 1)
    return np.asarray(steps * np.clip(2 - 4 * blur, 0, 1))


def _line(x: np.ndarray, width: Real, blur: np.ndarray) -> np.ndarray:
    """1 on lines of `width` at the integers, 0 between them, `width` where a pixel sees half a period."""
    inside = np.clip((width / 2 - np.abs(x - np.round(x))) / np.maximum(blur, 0.01) + 0.5, 0, 1)
    return np.asarray(width + (inside - width) * np.clip(2 - 4 * blur, 0, 1))


def _either(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Share covered by one or the other, which cross at right angles."""
    return np.asarray(1 - (1 - first) * (1 - second))


def _sky(rays: np.ndarray, light: Light, noise: Noise) -> np.ndarray:
    up = np.clip(-rays[1] / np.sqrt(np.square(rays).sum(0)), 0.02, 1)
    u, v = rays[0] / up / 90, rays[2] / up / 90
    clouds = np.clip(noise(u, v) - 0.1, 0, 0.8) * np.clip(up * 6 - 0.3, 0, 1)
    horizon, zenith = (np.array(colour, np.float32) for colour in light.sky)
    clear = horizon + np.sqrt(up)[:, None] * (zenith - horizon)
    return np.asarray(clear + clouds[:, None] * (1 - clear))


def _unshadowed(points: np.ndarray, towards: np.ndarray, shapes: Sequence[Shape], own: int) -> np.ndarray:
    """1 where the light reaches, 0 in the shadow of another shape; planes and roads bound the scene and cast none."""
    light = np.ones(points.shape[1], points.dtype)
    side = np.cross(towards, np.eye(3)[np.abs(towards).argmin()])
    side /= np.linalg.norm(side)
    across = np.stack([side, np.cross(towards, side)]).astype(points.dtype)
    flat = across @ points  # a shape shades only what lies behind its outline, seen from the light
    middle, reach = (flat.max(1) + flat.min(1)) / 2, (flat.max(1) - flat.min(1)) / 2
    for k, shape in enumerate(shapes):
        if k == own or isinstance(shape, Plane) or shape.radius > _WIDEST_CASTER:
            continue
        at = across @ np.array(shape.centre, points.dtype)
        if (np.abs(at - middle) > reach + shape.radius).any():
            continue
        near = np.flatnonzero((flat[0] - at[0]) ** 2 + (flat[1] - at[1]) ** 2 < shape.radius**2)
        if near.size:
            t, _ = shape.intersect(points[:, near], towards[:, None])
            light[near[np.isfinite(t)]] = 0
    return light
