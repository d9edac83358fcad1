"""What stands where in a synthetic scene: rooms and streets, drawn from a random generator."""

import colorsys
import dataclasses
import math

import numpy as np

from src.data.built_in.scene import Box, Camera, Plane, Real, Shape, Sphere, Vector, turn
from src.data.built_in.texture import Colour, Light, Material, Pattern

STYLES = ("indoor", "outdoor")

_WHITE = ((0.93, 0.92, 0.90), (0.86, 0.85, 0.83))
_SOLID = (Pattern.MOTTLED, Pattern.CHECKS, Pattern.STRIPES, Pattern.MOTTLED, Pattern.PLANKS)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """Shapes with one material each, a light and a camera."""

    shapes: tuple[Shape, ...]
    materials: tuple[Material, ...]
    light: Light
    camera: Camera


def lay_out(style: str, rng: np.random.Generator, size: tuple[int, int]) -> Scene:
    """Draw a scene of one of `STYLES`; the same for any image size but for the pixels of its camera."""
    draw = _Draw(rng)
    eye = draw.between(1.25, 1.6)
    parts = _room(draw, eye) if style == "indoor" else _street(draw, eye)
    if style == "indoor":
        light = Light(towards=(draw.between(-0.9, 0.9), -1.6, -0.8), sky=(_WHITE[0], _WHITE[0]), haze=math.inf)
        tilt = (draw.between(-0.35, 0.35), draw.between(0.08, 0.24))
    else:
        sky = ((0.84, 0.88, 0.92), (0.30, 0.50, 0.80))
        light = Light(towards=(draw.sign() * draw.between(0.6, 1.2), -1.2, -0.7), sky=sky, haze=90)
        tilt = (draw.between(-0.2, 0.2), draw.between(0.0, 0.1))
    camera = _camera(size, focal=draw.between(0.7, 0.95), yaw=tilt[0], pitch=tilt[1], roll=draw.between(-0.02, 0.02))
    return Scene(
        shapes=tuple(shape for shape, _ in parts),
        materials=tuple(material for _, material in parts),
        light=light,
        camera=camera,
    )


_Part = tuple[Shape, Material]


class _Draw:
    """Random choices; only `random()` is used, the generator's most stable method."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng

    def between(self, low: Real, high: Real) -> float:
        return low + (high - low) * float(self._rng.random())

    def sign(self) -> int:
        return 1 if self._rng.random() < 0.5 else -1

    def colour(self, saturation: float, value: float) -> Colour:
        return colorsys.hsv_to_rgb(self.between(0, 1), saturation, value)

    def material(self) -> Material:
        """Of a thing: a strong colour with a darker or a pale one."""
        first = self.colour(self.between(0.35, 0.75), self.between(0.65, 0.92))
        second = self.colour(0.15, 0.92) if self.sign() > 0 else _scaled(first, 0.6)
        pattern = _SOLID[int(self.between(0, len(_SOLID)))]
        return Material(pattern=pattern, colours=(first, second), period=self.between(0.15, 0.35))


def _scaled(colour: Colour, factor: float) -> Colour:
    return colour[0] * factor, colour[1] * factor, colour[2] * factor


def _plain(colour: Colour, *, period: Real = 1) -> Material:
    return Material(pattern=Pattern.MOTTLED, colours=(_scaled(colour, 0.92), colour), period=period)


def _camera(size: tuple[int, int], *, focal: float, yaw: float, pitch: float, roll: float) -> Camera:
    h, w = size
    intrinsics = np.array([[focal * w, 0, w / 2], [0, focal * w, h / 2], [0, 0, 1]])
    return Camera(size=size, intrinsics=intrinsics, rotation=turn(1, yaw) @ turn(0, -pitch) @ turn(2, roll))


def _standing(half: Vector, at: tuple[float, float], ground: float, yaw: Real) -> Box:
    """A box whose underside is at height `ground` (along y, which points down)."""
    return Box(centre=(at[0], ground - half[1], at[1]), half=half, yaw=yaw)


def _room(draw: _Draw, eye: float) -> list[_Part]:
    left, right, far = draw.between(1.8, 2.8), draw.between(1.8, 2.8), draw.between(4.5, 7.5)
    paint = _plain(draw.colour(draw.between(0.08, 0.3), 0.88), period=3)
    boards = draw.between(0.45, 0.8)
    if draw.sign() > 0:
        floor = Material(
            pattern=Pattern.PLANKS, colours=((boards, 0.7 * boards, 0.45 * boards), (0.45, 0.30, 0.19)), period=0.16
        )
    else:
        floor = Material(pattern=Pattern.CHECKS, colours=(_WHITE[0], draw.colour(0.25, 0.55)), period=0.9)
    feature = Material(pattern=Pattern.BRICKS, colours=((0.68, 0.36, 0.28), _WHITE[1]), period=0.13)
    parts: list[_Part] = [
        (Plane(normal=(0, -1, 0), distance=eye), floor),
        (Plane(normal=(0, 1, 0), distance=2.6 - eye), _plain(_WHITE[0], period=4)),
        (Plane(normal=(1, 0, 0), distance=left), paint),
        (Plane(normal=(-1, 0, 0), distance=right), paint),
        (Plane(normal=(0, 0, -1), distance=far), feature if draw.sign() > 0 else paint),
        (Plane(normal=(0, 0, 1), distance=2.0), paint),
    ]
    rug = Box(
        centre=(draw.between(-0.5, 0.5), eye - 0.01, draw.between(2.6, far - 1.5)),
        half=(draw.between(0.9, 1.3), 0.01, draw.between(0.6, 1.0)),
        yaw=draw.between(-0.3, 0.3),
    )
    parts.append((rug, draw.material()))
    cabinet = (draw.between(0.4, 0.8), draw.between(0.4, 1.0), 0.25)
    x = draw.between(cabinet[0] - left, right - cabinet[0])
    parts.append((_standing(cabinet, (x, far - 0.26), eye, 0), draw.material()))
    for side in (-1, 1):
        frame = (draw.between(0.25, 0.5), draw.between(0.2, 0.4), 0.03)
        picture = Box(centre=(side * draw.between(0.6, 1.3), draw.between(-0.5, -0.2), far - 0.03), half=frame, yaw=0)
        parts.append((picture, draw.material()))
    table = (draw.sign() * draw.between(0.7, 1.1), draw.between(2.8, far - 1.2))
    parts += _table(draw, eye, table)
    room = min(left, right) - 0.4
    return parts + _scattered(draw, eye, reach=(1.7, far - 0.9), half_width=room, height=0.3, table=table)


def _table(draw: _Draw, ground: float, at: tuple[float, float]) -> list[_Part]:
    yaw, wood = draw.between(-0.5, 0.5), draw.between(0.35, 0.75)
    material = Material(pattern=Pattern.PLANKS, colours=((wood, 0.75 * wood, 0.5 * wood), (0.3, 0.2, 0.12)), period=0.2)
    half = (draw.between(0.45, 0.65), 0.02, draw.between(0.3, 0.45))
    top = ground - draw.between(0.5, 0.75)
    parts: list[_Part] = [(_standing(half, at, top, yaw), material)]
    for side in (-1, 1):
        for end in (-1, 1):
            foot = turn(1, yaw) @ (side * (half[0] - 0.05), 0, end * (half[2] - 0.05))
            leg = (0.025, (ground - top) / 2, 0.025)
            parts.append((_standing(leg, (at[0] + float(foot[0]), at[1] + float(foot[2])), ground, yaw), material))
    radius = draw.between(0.08, 0.16)
    parts.append((Sphere(centre=(at[0], top - 0.04 - radius, at[1]), radius=radius), draw.material()))
    return parts


def _scattered(
    draw: _Draw,
    ground: float,
    *,
    reach: tuple[Real, Real],
    half_width: float,
    height: float,
    table: tuple[float, float] = (0.0, math.inf),
) -> list[_Part]:
    """Four boxes or balls on the ground, on alternate sides and one per stretch of depth, so that none meets another.

    Those as far away as the table stand on its other side.
    """
    parts: list[_Part] = []
    stretch = (reach[1] - reach[0]) / 4
    for k in range(4):
        z = reach[0] + (k + draw.between(0.3, 0.7)) * stretch
        spread = min(half_width, 0.45 * z)
        side = -math.copysign(1, table[0]) if abs(z - table[1]) < 1.2 else (-1) ** k
        x = side * draw.between(0.4 * spread, spread)
        size = height * draw.between(0.6, 1.2)
        if draw.sign() > 0:
            parts.append((Sphere(centre=(x, ground - size, z), radius=size), draw.material()))
            continue
        half = (size * draw.between(0.7, 1.1), size, size * draw.between(0.7, 1.1))
        parts.append((_standing(half, (x, z), ground, draw.between(-0.8, 0.8)), draw.material()))
        if draw.sign() > 0:
            ball = 0.6 * min(half)
            parts.append((Sphere(centre=(x, ground - 2 * size - ball, z), radius=ball), draw.material()))
    return parts


def _street(draw: _Draw, eye: float) -> list[_Part]:
    lush = draw.between(0.35, 0.6)
    grass = Material(
        pattern=Pattern.MOTTLED, colours=((0.5 * lush, 0.75 * lush, 0.25), (lush, lush + 0.1, 0.35)), period=1
    )
    asphalt = Material(pattern=Pattern.MOTTLED, colours=((0.36, 0.36, 0.38), (0.46, 0.46, 0.47)), period=0.8)
    paving = Material(pattern=Pattern.BRICKS, colours=((0.66, 0.64, 0.60), (0.5, 0.48, 0.45)), period=0.5)
    middle, width = draw.between(-1.5, 1.5), draw.between(2.5, 3.5)
    parts: list[_Part] = [
        (Plane(normal=(0, -1, 0), distance=eye), grass),
        (Box(centre=(middle, eye - 0.01, 0), half=(width, 0.01, 400), yaw=0), asphalt),
    ]
    for side in (-1, 1):
        kerb = Box(centre=(middle + side * (width + 0.9), eye - 0.03, 0), half=(0.9, 0.03, 400), yaw=0)
        parts.append((kerb, paving))
        z = draw.between(11, 16)
        for _ in range(3):
            half = (draw.between(3, 5), draw.between(2.5, 7), draw.between(4, 6))
            at = (middle + side * (width + 3.5 + half[0]), z + half[2])
            wall = draw.colour(draw.between(0.1, 0.45), draw.between(0.6, 0.9))
            facade = Material(pattern=Pattern.WINDOWS, colours=((0.25, 0.32, 0.4), wall), period=draw.between(1.6, 2.4))
            parts.append((_standing(half, at, eye, 0), facade))
            z = at[1] + half[2] + draw.between(1, 6)
        for z in (draw.between(7, 10), draw.between(14, 22)):
            parts += _tree(draw, eye, (middle + side * (width + 2.6), z))
    return parts + _scattered(draw, eye - 0.02, reach=(3.5, 13), half_width=width, height=0.45)


def _tree(draw: _Draw, ground: float, at: tuple[float, float]) -> list[_Part]:
    trunk, crown, green = draw.between(0.8, 1.3), draw.between(0.8, 1.4), draw.between(0.3, 0.55)
    leaves = Material(
        pattern=Pattern.MOTTLED, colours=((0.1, 0.5 * green, 0.08), (green, green + 0.2, 0.2)), period=0.6
    )
    return [
        (_standing((0.12, trunk, 0.12), at, ground, 0.4), _plain((0.42, 0.3, 0.2), period=0.5)),
        (Sphere(centre=(at[0], ground - 2 * trunk - 0.8 * crown, at[1]), radius=crown), leaves),
    ]
