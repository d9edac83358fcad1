import numpy as np
import pytest

from src.data.built_in.scene import Box, Camera, Plane, Sphere, cast
from src.data.built_in.texture import Light, Material, Noise, Pattern, paint, render

RED_AND_BLUE = ((0.8, 0.2, 0.2), (0.2, 0.2, 0.8))
FLOOR = Plane(normal=(0, -1, 0), distance=2.0)
GREY = Material(pattern=Pattern.MOTTLED, colours=((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)), period=1)
CAMERA = Camera(size=(60, 80), intrinsics=np.array([[60.0, 0, 40], [0, 60, 10], [0, 0, 1]]), rotation=np.eye(3))
DOWN = Light(towards=(0.0, -1.0, -0.01), sky=((0.9, 0.9, 0.9), (0.2, 0.4, 0.8)), haze=np.inf)


@pytest.fixture
def noise():
    return Noise(np.random.default_rng(0))


def picture(shapes, light, noise, materials=None):
    rays = CAMERA.rays()
    depth, surface = cast(shapes, CAMERA, rays)
    image = render(shapes, materials or [GREY] * len(shapes), light, CAMERA, rays, depth, surface, noise)
    return image.astype(int), surface


def test_noise_is_periodic_smooth_and_of_unit_size(noise):
    u = np.linspace(0, 1, 500, dtype=np.float32)
    v = np.full_like(u, 0.3)
    np.testing.assert_allclose(noise(u, v), noise(u + 2, v - 3), atol=1e-3)
    values = noise(*np.random.default_rng(1).random((2, 10000), np.float32))
    assert 0.3 < values.std() < 0.7
    assert abs(values.mean()) < 0.1
    assert np.abs(np.diff(noise(u, v))).max() < 0.2


@pytest.mark.parametrize("pattern", list(Pattern))
def test_patterns_show_near_and_fade_to_their_mean_before_they_alias(pattern, noise):
    material = Material(pattern=pattern, colours=RED_AND_BLUE, period=0.5)
    u, v = np.random.default_rng(0).random((2, 20000), np.float32) * 20
    sharp, faded = (paint(material, u, v, np.full_like(u, size), noise) for size in (1e-3, 2.0))
    assert faded.std(0).max() < 0.25 * sharp.std(0).max()
    np.testing.assert_allclose(faded.mean(0), sharp.mean(0), atol=0.1)
    assert sharp.min() >= 0


def test_stripes_have_the_stated_period(noise):
    material = Material(pattern=Pattern.STRIPES, colours=RED_AND_BLUE, period=0.5)
    u = np.arange(16, dtype=np.float32) * 0.25 + 0.125
    red = paint(material, u, np.zeros_like(u), np.full_like(u, 1e-3), noise)[:, 0]
    np.testing.assert_array_equal(red[::2] < 0.4, True)
    np.testing.assert_array_equal(red[1::2] > 0.6, True)


def test_a_thing_casts_its_shadow_where_the_light_is_blocked(noise):
    ball = Sphere(centre=(0, 0.5, 5), radius=0.5)
    lit, surface = picture((FLOOR,), DOWN, noise)
    shadowed, with_ball = picture((FLOOR, ball), DOWN, noise)
    # light from straight above: the shadow is the disc of the ball's radius on the ground
    rays = CAMERA.rays()
    depth, _ = cast((FLOOR,), CAMERA, rays)
    x, _, z = np.where(np.isfinite(depth), depth, 0) * rays
    distance = np.hypot(x, z - 5 + 0.015)
    ground = (surface == 0) & (with_ball == 0)
    inside, around = ground & (distance < 0.45), ground & (distance > 0.55)
    assert inside.sum() > 20
    assert (shadowed[inside] < 0.7 * lit[inside]).all()
    np.testing.assert_array_equal(shadowed[around], lit[around])


def test_boxes_shade_too_but_bounds_of_the_scene_do_not(noise):
    lit, _ = picture((FLOOR,), DOWN, noise)
    shelf = Box(centre=(0, -5, 5), half=(2, 0.1, 2), yaw=0.4)
    assert (picture((FLOOR, shelf), DOWN, noise)[0][35:] < lit[35:]).any()
    ceiling = Plane(normal=(0, 1, 0), distance=6.0)
    np.testing.assert_array_equal(picture((FLOOR, ceiling), DOWN, noise)[0][35:], lit[35:])


def test_the_side_towards_the_light_is_brighter(noise):
    light = Light(towards=(-1.0, -0.2, 0.0), sky=DOWN.sky, haze=np.inf)
    image, surface = picture((Sphere(centre=(0, 1, 4), radius=0.8),), light, noise)
    columns = np.argwhere(surface == 0)[:, 1]
    middle = int(columns.mean())
    left, right = (surface == 0) & (np.arange(80) < middle - 3), (surface == 0) & (np.arange(80) > middle + 3)
    assert image[left].mean() > 1.3 * image[right].mean()


def test_haze_draws_far_things_to_the_colour_of_the_horizon(noise):
    light = Light(towards=DOWN.towards, sky=DOWN.sky, haze=10.0)
    image, _ = picture((FLOOR,), light, noise)
    assert (np.abs(image[10] - 0.9 * 255) < 3).all()
    assert np.abs(image[-1].mean() - 0.9 * 255) > 10


def test_the_sky_is_bluer_higher_up(noise):
    light = Light(towards=DOWN.towards, sky=DOWN.sky, haze=np.inf)
    image, surface = picture((FLOOR,), light, noise)
    assert (surface[:10] == -1).all()
    blueness = image[..., 2] - image[..., 0]
    assert blueness[0].mean() > blueness[9].mean()
