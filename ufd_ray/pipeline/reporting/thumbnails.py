"""A few images, fetched and decoded once more for their thumbnails, within a minute."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from time import monotonic
from typing import Self

import numpy as np
from numpy.typing import NDArray

from ufd_ray.errors import UfdError
from ufd_ray.images import ByRecipe, Decoded, DecodeLimits, PixelRecipe, Sandbox
from ufd_ray.report import Picture, make_thumbnail
from ufd_ray.settings import InputSettings
from ufd_ray.storage import Fetched, FetchLimits, Known, StorageOptions, fetch

Draw = Callable[[NDArray[np.uint8]], NDArray[np.uint8]]

LONGEST_S = 60.0
"""After so many seconds no further image is begun."""
_ONE_S = 5.0
_AT_ONCE = 8
_MOST_BYTES = 16 * 2**20
"""Of a file: times `_AT_ONCE`, this bounds what is in memory."""


class Looking:
    """Makes thumbnails until its time is up; what has none says why.

    Fetching and decoding are bounded as in the run, and more: one try, a few seconds an image, 16
    MiB. Pixels come from the process apart that decodes for the run as well, as squares of the
    image's middle; JPEGs are made of these here, so that no byte of a file reaches a page.

    Args:
        settings: bounds of fetching and decoding.
        storage: how storage is reached.
        longest_s: after which no further image is begun.
    """

    def __init__(
        self, settings: InputSettings, storage: StorageOptions, longest_s: float = LONGEST_S
    ) -> None:
        self._ends = monotonic() + longest_s
        self._longest_s = longest_s
        one_s = min(settings.fetch_timeout_s, _ONE_S)
        self._storage = replace(storage, fetch_timeout_s=one_s, patient=False)
        limits = FetchLimits.of(settings)
        self._limits = replace(limits, num_attempts=1, max_bytes=min(limits.max_bytes, _MOST_BYTES))
        decoding = DecodeLimits.of(settings)
        self._sandbox = Sandbox(replace(decoding, timeout_s=min(decoding.timeout_s, _ONE_S)))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._sandbox.close()

    @property
    def allow_http(self) -> bool:
        """Whether http:// and https:// are read."""
        return self._limits.allow_http

    def look(self, wanted: Sequence[Known], side: int) -> list[Picture]:
        """One picture an image, in order.

        Args:
            wanted: the images.
            side: of the thumbnails, pixels.
        """

        def show(data: bytes) -> Picture:
            (decoded,) = self._sandbox.decode([data], "resize", side)
            return _shown(decoded, side, lambda pixels: pixels)

        return self._each(wanted, show)

    def look_by_recipe(
        self, wanted: Sequence[Known], recipe: PixelRecipe, draw: Draw
    ) -> list[Picture]:
        """One picture an image of what is drawn of its pixels by a recipe, in order.

        Args:
            wanted: the images.
            recipe: which leaves nothing to chance.
            draw: uint8 (size, size, 3) → uint8 (`SIDE`, `SIDE`, 3).
        """
        how = ByRecipe.without_chance(recipe)

        def show(data: bytes) -> Picture:
            (decoded,) = self._sandbox.decode_by_recipe([data], [how])
            return _shown(decoded, recipe.size, draw)

        return self._each(wanted, show)

    def _each(self, wanted: Sequence[Known], show: Callable[[bytes], Picture]) -> list[Picture]:
        pictures: list[Picture] = []
        for start in range(0, len(wanted), _AT_ONCE):
            few = wanted[start : start + _AT_ONCE]
            if monotonic() >= self._ends:
                pictures += [self._too_late()] * len(few)
            else:
                found = fetch(few, self._storage, self._limits)
                pictures += [self._picture(one, show) for one in found]
        return pictures

    def _picture(self, found: Fetched, show: Callable[[bytes], Picture]) -> Picture:
        if found.data is None:
            return Picture(why_not=_code(found))
        if monotonic() >= self._ends:
            return self._too_late()
        try:
            return show(found.data)
        except UfdError as error:  # the process does not start: a page fails no run
            return Picture(why_not=str(error))

    def _too_late(self) -> Picture:
        return Picture(why_not=f"not read within {self._longest_s:g} s")


def _shown(decoded: Decoded, side: int, draw: Draw) -> Picture:
    if decoded.pixels is None:
        return Picture(why_not=_code(decoded))
    pixels = np.frombuffer(decoded.pixels, np.uint8).reshape(side, side, 3)
    return Picture(make_thumbnail(draw(pixels)))


def _code(found: Fetched | Decoded) -> str:
    return found.error.code.value.replace("_", " ") if found.error else "no bytes"
