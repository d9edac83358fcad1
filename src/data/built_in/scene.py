"""Analytic scenes: planes, boxes and spheres, cast by one ray through each pixel centre.

World axes are OpenCV's with the camera at the origin and gravity along +y: x right, y down, z forward. A ray's
direction has unit length along the optical axis, so the ray parameter t of a hit *is* its z-depth. Casting is in
float64; colouring, which does not need it, in float32.
"""

import dataclasses
import math

import numpy as np
from jaxtyping import Bool, Float, Float64, Int32

JUMP = 0.05
"""Gap in depth, relative to the farther side, from which two surfaces meeting in the image form an occlusion edge."""

Real = float | int
Vector = tuple[Real, Real, Real]

FACES = 4  # numbers reserved per shape: a ray meets at most three faces of a box
SKY = -1

_NEAR = 0.01
_BOX_EDGES = np.array([(i, i + bit) for bit in (1, 2, 4) for i in range(8) if not i & bit]).T  # pairs of corners


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Plane:
    """The infinite plane n x + distance = 0; the unit normal n points to the camera's side, `distance` metres away."""

    normal: Vector
    distance: Real

    def intersect(
        self, origin: Float[np.ndarray, "3 #n"], direction: Float[np.ndarray, "3 #n"]
    ) -> tuple[Float[np.ndarray, " n"], Int32[np.ndarray, " n"]]:
        """Ray parameter of the hit, inf where there is none, and the number of the face."""
        normal = np.array(self.normal, np.float64)
        with np.errstate(divide="ignore", invalid="ignore"):  # rays along the plane never hit it
            t = -(normal @ origin + self.distance) / (normal @ direction)
        return np.where(t > 0, t, np.inf), np.zeros(t.shape, np.int32)

    def surface(
        self, points: Float[np.ndarray, "3 n"], face: int
    ) -> tuple[Float[np.ndarray, "2 n"], Float[np.ndarray, "3 #n"]]:
        """Coordinates on the surface in metres, and outward normals, of points on it."""
        x, _, z = self.normal
        level = math.hypot(x, z)
        axes = [[1.0, 0, 0], [0, 0, 1]] if level < 1e-6 else [[z / level, 0, -x / level], [0, 1, 0]]
        return np.array(axes, points.dtype) @ points, np.array(self.normal, points.dtype)[:, None]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """A box turned by `yaw` radians about the vertical, with half its width, height and depth in `half` (metres)."""

    centre: Vector
    half: Vector
    yaw: Real

    @property
    def radius(self) -> float:
        """Radius of the smallest sphere around it."""
        return math.hypot(*self.half)

    @property
    def rotation(self) -> Float64[np.ndarray, "3 3"]:
        """World axes to the axes of the box."""
        return turn(1, -self.yaw)

    def corners(self) -> Float64[np.ndarray, "3 8"]:
        """Its corners in the world."""
        signs = np.array(np.meshgrid(*[(-1.0, 1.0)] * 3)).reshape(3, 8)
        return np.asarray(self.rotation.T @ (signs * np.array(self.half)[:, None]) + np.array(self.centre)[:, None])

    def intersect(
        self, origin: Float[np.ndarray, "3 #n"], direction: Float[np.ndarray, "3 #n"]
    ) -> tuple[Float[np.ndarray, " n"], Int32[np.ndarray, " n"]]:
        """Ray parameter of the first hit from outside, inf where there is none, and the number of the face."""
        start = self.rotation @ (origin - np.array(self.centre)[:, None])
        half = np.array(self.half)[:, None]
        with np.errstate(divide="ignore", invalid="ignore"):  # rays along a slab: infinite, or NaN on its very border
            inverse = 1 / (self.rotation @ direction)
            first, second = (-half - start) * inverse, (half - start) * inverse
        enter, leave = np.minimum(first, second), np.maximum(first, second)
        t = np.maximum(np.maximum(enter[0], enter[1]), enter[2])
        out = np.minimum(np.minimum(leave[0], leave[1]), leave[2])
        face = np.where(t == enter[0], 0, np.where(t == enter[1], 1, 2)).astype(np.int32)
        return np.where((t <= out) & (t > 0), t, np.inf), face

    def surface(
        self, points: Float[np.ndarray, "3 n"], face: int
    ) -> tuple[Float[np.ndarray, "2 n"], Float[np.ndarray, "3 #n"]]:
        """Coordinates on the face in metres from its centre, and outward normals, of points on it."""
        rotation = self.rotation.astype(points.dtype)
        local = rotation @ (points - np.array(self.centre, points.dtype)[:, None])
        normal = rotation[face][:, None] * np.sign(local[face])
        return local[[(2, 1), (0, 2), (0, 1)][face], :], normal


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Sphere:
    """A sphere; lengths in metres."""

    centre: Vector
    radius: Real

    def corners(self) -> Float64[np.ndarray, "3 8"]:
        """Corners of the cube around it."""
        return Box(centre=self.centre, half=(self.radius,) * 3, yaw=0).corners()

    def intersect(
        self, origin: Float[np.ndarray, "3 #n"], direction: Float[np.ndarray, "3 #n"]
    ) -> tuple[Float[np.ndarray, " n"], Int32[np.ndarray, " n"]]:
        """Ray parameter of the first hit from outside, inf where there is none, and the number of the face."""
        start = origin - np.array(self.centre)[:, None]
        a = np.square(direction).sum(0)
        b = (start * direction).sum(0)
        c = np.square(start).sum(0) - self.radius**2
        discriminant = b * b - a * c
        t = c / (np.sqrt(np.maximum(discriminant, 0)) - b)  # the near root, in the form that does not cancel
        return np.where((discriminant > 0) & (b < 0) & (t > 0), t, np.inf), np.zeros(t.shape, np.int32)

    def surface(
        self, points: Float[np.ndarray, "3 n"], face: int
    ) -> tuple[Float[np.ndarray, "2 n"], Float[np.ndarray, "3 #n"]]:
        """Longitude and latitude times the radius, and outward normals, of points on it."""
        normal = (points - np.array(self.centre, points.dtype)[:, None]) / self.radius
        longitude, latitude = np.arctan2(normal[0], -normal[2]), np.arcsin(np.clip(normal[1], -1, 1))
        return self.radius * np.stack([longitude, latitude]), normal


Shape = Plane | Box | Sphere


def turn(axis: int, angle: Real) -> Float64[np.ndarray, "3 3"]:
    """Rotation by `angle` radians that takes the axis after `axis` towards the one before it (x, y, z in turn).

    >>> turn(1, math.pi / 2).round() @ [0, 0, 1]  # a right turn about the vertical: forward becomes right
    array([1., 0., 0.])
    """
    matrix = np.eye(3)
    i, j = (axis + 1) % 3, (axis + 2) % 3
    matrix[i, i] = matrix[j, j] = math.cos(angle)
    matrix[j, i], matrix[i, j] = math.sin(angle), -math.sin(angle)
    return matrix


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Camera:
    """A pinhole camera at the origin: size (h, w) and intrinsics in pixels, rotation from camera to world axes."""

    size: tuple[int, int]
    intrinsics: Float64[np.ndarray, "3 3"]
    rotation: Float64[np.ndarray, "3 3"]

    def rays(self) -> Float64[np.ndarray, "3 h w"]:
        """World directions through the pixel centres (integer + 0.5), of unit length along the optical axis."""
        h, w = self.size
        columns, rows = np.meshgrid(np.arange(w) + 0.5, np.arange(h) + 0.5)
        pixels = np.stack([columns, rows, np.ones((h, w))]).reshape(3, -1)
        return np.asarray(self.rotation @ np.linalg.inv(self.intrinsics) @ pixels).reshape(3, h, w)

    def window(self, shape: Shape) -> tuple[slice, slice]:
        """Rows and columns outside of which `shape` cannot appear."""
        h, w = self.size
        if isinstance(shape, Plane):
            return slice(0, h), slice(0, w)
        corners = self.rotation.T @ shape.corners()
        visible = corners[2] >= _NEAR
        first, second = _BOX_EDGES[:, visible[_BOX_EDGES[0]] != visible[_BOX_EDGES[1]]]
        share = (_NEAR - corners[2, first]) / (corners[2, second] - corners[2, first])
        cut = corners[:, first] + share * (corners[:, second] - corners[:, first])
        outline = np.concatenate([corners[:, visible], cut], 1)
        if outline.size == 0:
            return slice(0), slice(0)
        x, y, _ = self.intrinsics @ (outline / outline[2])
        rows, columns = np.clip([y.min(), y.max() + 1], 0, h), np.clip([x.min(), x.max() + 1], 0, w)
        return slice(int(rows[0]), int(rows[1])), slice(int(columns[0]), int(columns[1]))


def cast(
    shapes: tuple[Shape, ...], camera: Camera, rays: Float64[np.ndarray, "3 h w"]
) -> tuple[Float64[np.ndarray, "h w"], Int32[np.ndarray, "h w"]]:
    """Find the nearest surface in each pixel.

    Returns:
        (h, w) float64 z-depth in metres, inf where no surface is hit; and the (h, w) int32 number of the surface,
        FACES * (position in `shapes`) + face, or SKY.
    """
    depth = np.full(camera.size, np.inf)
    surface = np.full(camera.size, SKY, np.int32)
    camera_centre = np.zeros((3, 1))
    for k, shape in enumerate(shapes):
        window = camera.window(shape)
        seen = rays[:, *window]
        t, face = shape.intersect(camera_centre, seen.reshape(3, -1))
        t, face = t.reshape(seen.shape[1:]), face.reshape(seen.shape[1:])
        nearer = t < depth[window]
        np.copyto(depth[window], t, where=nearer)
        np.copyto(surface[window], FACES * k + face, where=nearer)
    return depth, surface


def occlusion_edges(depth: Float64[np.ndarray, "h w"], surface: Int32[np.ndarray, "h w"]) -> Bool[np.ndarray, "h w"]:
    """Pixels of a nearer surface whose neighbour above, below, left or right shows one that lies behind by a gap.

    Both surfaces are continued across the border between the two pixels, in inverse depth, in which planes are linear
    in the image. Where they cross they touch: neither the foot of a box, nor a corner of a room, nor the horizon is an
    edge, however steeply it is seen. A surface one pixel wide is continued level.
    """
    edges = np.zeros(depth.shape, bool)
    disparity = 1 / depth
    for values, labels, marked in ((disparity, surface, edges), (disparity.T, surface.T, edges.T)):
        row, left = np.nonzero(labels[:, 1:] != labels[:, :-1])
        right = left + 1
        before, after = np.maximum(left - 1, 0), np.minimum(right + 1, labels.shape[1] - 1)
        at_left, at_right = values[row, left], values[row, right]
        slope_left = np.where(labels[row, before] == labels[row, left], at_left - values[row, before], 0)
        slope_right = np.where(labels[row, after] == labels[row, right], values[row, after] - at_right, 0)
        gaps = np.stack([at_left - (at_right - slope_right), (at_left + slope_left) - at_right])
        jumps = np.abs(gaps).min(0) > JUMP * np.maximum(at_left, at_right)
        jumps &= np.sign(gaps[0]) == np.sign(gaps[1])
        marked[row[jumps], np.where(gaps[0] > 0, left, right)[jumps]] = True
    return edges
