"""Where the worst mistakes of a baseline look generated to it, by patches."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from ufd_ray.baselines import heat_of_pixels, load_network
from ufd_ray.errors import UfdError
from ufd_ray.pipeline.comparing.compared import Compared
from ufd_ray.pipeline.reporting.thumbnails import Looking
from ufd_ray.report import Picture, draw_heat
from ufd_ray.storage import Known, StorageOptions, network_file


def heat_by(
    one: Compared, looking: Looking, storage: StorageOptions
) -> Callable[[Sequence[Known]], list[Picture]]:
    """A function from images to their maps, as `show_mistakes` takes it; in this process.

    Where the network cannot be read, each map says why there is none: a page fails no run.

    Args:
        one: a baseline that has heat.
        looking: reads the images.
        storage: how its network is reached.
    """
    baseline = one.baseline
    try:
        with network_file(one.info, storage) as file:
            network = load_network(baseline, file)
    except UfdError as error:
        print(f"warning: baseline {one.name} has no maps on the page: {error}")
        none = Picture(why_not=f"the network of {one.name} cannot be read")
        return lambda wanted: [none] * len(wanted)

    def draw(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return draw_heat(pixels, heat_of_pixels(baseline, network, pixels[None])[0])

    return lambda wanted: looking.look_by_recipe(wanted, baseline.test_pixels, draw)
