"""Corruptions of brightness and contrast, and by storing an image in few bits or pixels."""

import io

import numpy as np
from jaxtyping import Float64
from PIL import Image as Pillow

Image = Float64[np.ndarray, "h w 3"]


def brightness(image: Image, severity: int, _: np.random.Generator) -> Image:
    """Raise the value of HSV by a constant, up to 1; hue and saturation stay."""
    value = image.max(axis=2, keepdims=True)
    raised = np.minimum(value + (0.1, 0.2, 0.3, 0.4, 0.5)[severity - 1], 1.0)
    result: Image = np.where(value > 0, image * (raised / np.where(value > 0, value, 1.0)), raised)
    return result


def contrast(image: Image, severity: int, _: np.random.Generator) -> Image:
    """Shrink every channel about its mean."""
    mean = image.mean(axis=(0, 1), keepdims=True)
    result: Image = (image - mean) * (0.4, 0.3, 0.2, 0.1, 0.05)[severity - 1] + mean
    return result


def color_quant(image: Image, severity: int, _: np.random.Generator) -> Image:
    """Keep the 5, 4, 3, 2 or 1 highest bits of each byte."""
    dropped = 8 - (5, 4, 3, 2, 1)[severity - 1]
    return ((_bytes(image) >> dropped) << dropped) / 255


def pixelate(image: Image, severity: int, _: np.random.Generator) -> Image:
    """Shrink by a box filter and enlarge by repetition."""
    factor = (0.6, 0.5, 0.4, 0.3, 0.25)[severity - 1]
    height, width = image.shape[:2]
    small = (max(1, int(width * factor)), max(1, int(height * factor)))
    shrunk = Pillow.fromarray(_bytes(image)).resize(small, Pillow.Resampling.BOX)
    return np.asarray(shrunk.resize((width, height), Pillow.Resampling.NEAREST)) / 255


def jpeg_compression(image: Image, severity: int, _: np.random.Generator) -> Image:
    """Store as JPEG of low quality (Pillow's encoder) and read again."""
    stream = io.BytesIO()
    Pillow.fromarray(_bytes(image)).save(stream, "JPEG", quality=(25, 18, 15, 10, 7)[severity - 1])
    return np.asarray(Pillow.open(stream)) / 255


def _bytes(image: Image) -> np.ndarray:
    result: Image = np.round(np.clip(image, 0, 1) * 255).astype(np.uint8)
    return result
