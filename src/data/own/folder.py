"""Your own images and ground truth, from folders or archives that mirror each other or patterns that pair them."""

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool
from PIL import Image

from src.core.errors import ConfigError, DataError
from src.core.maps import MAP_SUFFIXES, read_map
from src.data.base import DepthDataset, Frame, as_range
from src.data.own.intrinsics import INTRINSICS_SUFFIXES, parse_intrinsics
from src.data.own.own_files import OwnFile, find_files, is_many, read_split
from src.data.storage.decode import IMAGE_SUFFIXES, open_image, read_rgb

_MASK_MODES = ("1", "L", "I;16")
_SHOWN = 3


class Folder(DepthDataset):
    """Images and ground truth of your own; each image `a/b.jpg` is paired with the map `a/b.png` (or .npy, .npz, .exr).

    Source: yours.
    Licence: yours.
    Pairs: by sample id, which is the path below the folder without suffix, or what the wildcards of a pattern stand for
    (`own_files.find_files`). A file without partner is an error, never left out, unless a split file says which samples
    count. The folder that a file lies in is its cluster, unless all lie in one; the first of its path is its slice.
    Units: z-depth = value x `depth_scale` metres; zero, negative, infinite and NaN values are not measured.
    Crop: the masks, if any: grey PNG of the image's size, 0 where a pixel must not count.

    Args:
        images: folder, .zip, .tar or pattern of 8-bit images (see `decode.read_rgb` for what is refused); a path may
            go on inside an archive, as in shots.zip/rgb.
        depth: the same of maps, on the pixel grid of their image (see `core.maps.read_map`).
        depth_scale: metres per stored unit: 0.001 for millimetres, 0.00390625 (1/256) for KITTI's PNGs, 1 for metres.
        depth_range: (nearest, farthest) in metres.
        valid_range: the same for ground truth alone, where it differs from what predictions are clipped to; or None.
        masks: the same of masks, or None.
        split: text file of the sample ids that count, in their order (see `own_files.read_split`); or None for all.
        intrinsics: the camera of all images, or None: [fx, fy, cx, cy], three rows of three, or a file of these
            numbers (see `intrinsics.parse_intrinsics`); or a folder or pattern of one such file (.txt, .npy, .json) for
            each image. In pixels, pixel centres at integer + 0.5: add 0.5 to the cx and cy of an OpenCV calibration.
        depth_key: which array of .npz or channel of .exr files, where they hold several.
    """

    family = "own"

    def __init__(
        self,
        *,
        images: str | Path,
        depth: str | Path,
        depth_scale: float,
        depth_range: Sequence[float],
        valid_range: Sequence[float] | None,
        masks: str | Path | None,
        split: str | Path | None,
        intrinsics: str | Path | Sequence[Any] | None,
        depth_key: str | None,
    ) -> None:
        super().__init__(depth_range=depth_range)
        if not 0 < depth_scale < np.inf:
            msg = f"depth_scale: expected metres per stored unit, more than 0, got {depth_scale}"
            raise ConfigError(msg)
        if valid_range is not None:
            self.valid_range = as_range("valid_range", valid_range)
        sources = {"images": images, "depth": depth, "masks": masks}
        self._intrinsics = None
        if isinstance(intrinsics, str | Path) and is_many(intrinsics):
            sources["intrinsics"] = intrinsics
        elif intrinsics is not None:
            self._intrinsics = parse_intrinsics(intrinsics)
        self._sources = {kind: Path(source).expanduser() for kind, source in sources.items() if source is not None}
        self._split = None if split is None else Path(split).expanduser()
        self.depth_scale = depth_scale
        self.depth_key = depth_key

    def index(self) -> Sequence[str]:
        """Pair the files; ids in the order of the split file, or else in alphabetical order."""
        images = self._files["images"]
        ids = sorted(images) if self._split is None else self._listed(self._split)
        for kind, files in self._files.items():
            missing = [name for name in ids if name not in files]
            alone = sorted(files.keys() - images.keys()) if self._split is None else []
            if (alone or missing) and not self.lists_incomplete:
                msg = (
                    f"{kind}: expected one file in {self._sources[kind]} for each image in "
                    f"{self._sources['images']}, of the same id; {len(missing)} of "
                    f"{len(ids)} images have none {missing[:_SHOWN]} and {len(alone)} of {len(files)} files have "
                    f"no image {alone[:_SHOWN]}"
                )
                raise DataError(msg)
        return ids

    def read(self, i: int) -> Frame:
        """Decode image, map, mask and camera number `i`."""
        name = self.sample_ids[i]
        files = self._of(name)
        image, stored, camera = files["images"], files["depth"], files.get("intrinsics")
        depth = read_map(stored.path, key=self.depth_key, content=stored.content()).astype(np.float64)
        depth *= self.depth_scale
        return Frame(
            image=read_rgb(image.path, content=image.content()),
            depth=depth.astype(np.float32),
            valid=_read_mask(files["masks"], depth.shape) if "masks" in files else None,
            intrinsics=self._intrinsics if camera is None else parse_intrinsics(camera.path, content=camera.content()),
            cluster=name.rpartition("/")[0] if self._has_folders else "",
            slice=name.split("/")[0] if "/" in name else "",
        )

    @functools.cached_property
    def _has_folders(self) -> bool:
        """Whether folders tell images apart; one that holds them all says nothing about which are alike."""
        return len({name.rpartition("/")[0] for name in self.sample_ids}) > 1

    def stamps(self, i: int) -> Sequence[str]:
        """The stamps of the sample's files."""
        try:
            return [file.stamp() for file in self._of(self.sample_ids[i]).values()]
        except OSError as error:
            msg = f"{self.sample_ids[i]}: expected the files that were there at first: {error}"
            raise DataError(msg) from error

    def _of(self, name: str) -> dict[str, OwnFile]:
        """The files of a sample by kind."""
        for kind, files in self._files.items():
            if name not in files:
                msg = f"{kind}: expected a file for the sample {name!r} in {self._sources[kind]}, there is none"
                raise DataError(msg)
        return {kind: files[name] for kind, files in self._files.items()}

    def _listed(self, split: Path) -> list[str]:
        """The ids of the split file, each known to one kind of files at least."""
        lines = read_split(split)
        for name, line in lines.items():
            if not any(name in files for files in self._files.values()):
                msg = (
                    f"split: line {line} of {split}: no file is that of the sample {name!r}; expected ids such as "
                    f"{sorted(self._files['images'])[:_SHOWN]}, paths without suffix"
                )
                raise DataError(msg)
        return list(lines)

    @functools.cached_property
    def _files(self) -> dict[str, dict[str, OwnFile]]:
        suffixes = {
            "images": IMAGE_SUFFIXES,
            "depth": MAP_SUFFIXES,
            "masks": (".png",),
            "intrinsics": INTRINSICS_SUFFIXES,
        }
        return {kind: find_files(kind, source, suffixes[kind]) for kind, source in self._sources.items()}


def _read_mask(file: OwnFile, size: tuple[int, ...]) -> Bool[np.ndarray, "h w"]:
    path, content = file.path, file.content()
    try:
        with open_image(path, content=content, formats=("PNG",)) as image:
            mode, mask = image.mode, np.asarray(image).astype(bool)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        msg = f"{path}: expected a readable PNG mask: {error}"
        raise DataError(msg) from error
    if mode not in _MASK_MODES or mask.shape != size:
        msg = (
            f"{path}: expected a grey mask of the map's (height, width) {size}, got mode {mode!r} and {mask.shape[:2]}"
        )
        raise DataError(msg)
    return mask
