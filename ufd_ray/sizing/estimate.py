"""From what one image takes to what a run takes.

    run = start-up + images × (listing + pace + publication)

- *pace*, seconds an image: the slowest of
    - `cpu`: core-seconds of all stages on CPUs, and Ray's, / cores of all machines, less what Ray's
      processes take where they wait. All share them, an encoder on CPUs with its threads among
      them.
    - `gpu`: 1 / (GPUs that have an encoder × images a second of one).
    - `encoders`, where fewer machines have one: core-seconds of encoding / cores of these.
    - `network`: bytes of an image / (machines × bytes a second of one).

  The slowest is the bottleneck: the others go on beside it.
- *listing* and *publication* are the driver's alone, before and after, whatever the machines.
- *start-up*: Ray's own, then imports, then the model or the bank, whichever takes longer; on few
  cores, the core-seconds of Ray and of all workers that begin at once on a machine, divided by its
  cores, where that is longer.

Core-seconds are taken to be those of the machine that measured. What is left out: further tries,
machines that are lost, machines that start one after the other, and the last blocks, which not all
workers share.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from ufd_ray.sizing.machines import Machines, Prices
from ufd_ray.sizing.measured import Measured
from ufd_ray.sizing.requests import ROWS_PER_BLOCK, Requests, count_requests


@dataclass(frozen=True)
class Stated:
    """What is not measured for each plan.

    Attributes:
        start_s: seconds in which a flow's actors and first tasks are under way, beside imports.
        start_core_s: core-seconds of Ray's own processes on a machine until then.
        core_s: core-seconds an image in which Ray moves it between stages.
        idle_cores: of each machine, which Ray's processes take by waking and looking.
        list_s: seconds an image in which a manifest is listed.
        publish_s: seconds a row in which parts become published files.
        readers_a_core: reading workers that begin at once, for each core.
    """

    start_s: float
    start_core_s: float
    core_s: float
    idle_cores: float
    list_s: float
    publish_s: float
    readers_a_core: float


RAY = Stated(
    start_s=2.0,
    start_core_s=15.0,
    core_s=0.001,
    idle_cores=0.2,
    list_s=1.7e-6,
    publish_s=15.5e-6,
    readers_a_core=1.0,
)
"""`list_s` and `publish_s` are measured (`benchmarks/ledger.py`, `resume.py`: 2 cores, AMD EPYC,
local disk), and so are, once each on that machine, `idle_cores`, fifteen processes at 1 to 1.4 % of
a core each, and `start_core_s`, what 17 s of two busy cores were, less imports and model. The other
three are assumed; `benchmarks/plan.py` tells how near it comes."""


@dataclass(frozen=True)
class Estimate:
    """What a run takes.

    Attributes:
        num_images: of the run.
        startup_s: seconds before the first image is encoded.
        listing_s: seconds of listing, but for what grows with the images.
        serial_s: seconds an image that the driver lists and publishes alone.
        cpu_core_s: core-seconds an image.
        pace_s: seconds an image of each resource: `cpu`, perhaps `encoders`, `gpu`, `network`.
        cores_a_gpu: CPU cores that keep one GPU busy; None without GPUs.
        requests: to S3.
        costs: by what is paid for, of those whose price is known.
    """

    num_images: int
    startup_s: float
    listing_s: float
    serial_s: float
    cpu_core_s: float
    pace_s: dict[str, float]
    cores_a_gpu: float | None
    requests: Requests
    costs: dict[str, float]

    @property
    def bottleneck(self) -> str:
        """The slowest resource."""
        return max(self.pace_s, key=lambda name: self.pace_s[name])

    @property
    def each_s(self) -> float:
        """Seconds that a further image takes."""
        return self.pace_s[self.bottleneck] + self.serial_s

    @property
    def once_s(self) -> float:
        """Seconds that do not depend on how many images there are."""
        return self.startup_s + self.listing_s

    @property
    def predicted_s(self) -> float:
        """Seconds of the whole run, from its first record to its publication."""
        return self.once_s + self.num_images * self.each_s


def estimate(
    measured: Measured,
    machines: Machines,
    num_images: int,
    prices: Prices,
    startup_s: float | None = None,
    stated: Stated = RAY,
) -> Estimate:
    """Reckon, by the formula above.

    Args:
        measured: on the sample.
        machines: of the cluster.
        num_images: of the run.
        prices: those that are known.
        startup_s: seconds of start-up; None: by what was measured.
        stated: what is not measured each time.

    Raises:
        ValueError: GPUs without their rate, or start-up neither given nor measured.
    """
    core_s = sum(cost.core_s for cost in measured.stages.values()) + stated.core_s
    free = machines.cpus - min(stated.idle_cores, machines.cpus / 2)
    pace = {"cpu": core_s / (machines.number * free)}
    cores_a_gpu = None
    if machines.gpus:
        if machines.gpu_images_per_s is None:
            raise ValueError("GPUs are planned with, and nobody says how fast one is")
        busy = min(machines.number * machines.gpus, machines.num_encoders)
        pace["gpu"] = 1 / (busy * machines.gpu_images_per_s)
        cores_a_gpu = machines.gpu_images_per_s * core_s
    elif "encode" in measured.stages and machines.num_encoders < machines.number:
        cores = machines.num_encoders * free
        pace["encoders"] = measured.stages["encode"].core_s / cores
    if machines.network_bytes_per_s is not None:
        pace["network"] = measured.read_bytes / (machines.number * machines.network_bytes_per_s)
    if startup_s is None:
        startup_s = _startup_s(measured, machines, num_images, stated)
    listing_s, list_s = 0.0, measured.listing_each_s
    if list_s is None:
        listing_s, list_s = measured.listing_s, stated.list_s
    requests = count_requests(num_images, measured.read_bytes, measured.written_bytes)
    found = Estimate(
        num_images=num_images,
        startup_s=startup_s,
        listing_s=listing_s,
        serial_s=list_s + stated.publish_s,
        cpu_core_s=core_s,
        pace_s=pace,
        cores_a_gpu=cores_a_gpu,
        requests=requests,
        costs={},
    )
    found.costs.update(_costs(found.predicted_s, requests, machines, prices))
    return found


def _startup_s(measured: Measured, machines: Machines, num_images: int, stated: Stated) -> float:
    if measured.import_s is None:
        raise ValueError("nobody says how long start-up takes, and imports were not measured")
    blocks = math.ceil(num_images / ROWS_PER_BLOCK)
    readers = min(blocks / machines.number, stated.readers_a_core * machines.cpus)
    encoders, model_s = machines.encoders_a_machine, measured.model_s or 0.0
    bank_s = measured.bank_s or 0.0
    alone = stated.start_s + measured.import_s + max(model_s, bank_s)
    imports = (encoders + 1 + readers) * measured.import_s
    work = stated.start_core_s + imports + encoders * model_s + bank_s
    return max(alone, work / machines.cpus)


def _costs(
    predicted_s: float, requests: Requests, machines: Machines, prices: Prices
) -> dict[str, float]:
    amounts = {
        "machines": (prices.machine_hour, machines.number * predicted_s / 3600),
        "GET requests": (prices.thousand_gets, requests.gets / 1000),
        "LIST and PUT requests": (prices.thousand_lists, (requests.lists + requests.puts) / 1000),
        "egress": (prices.gb_egress, requests.read_bytes / 1e9),
    }
    return {name: price * n for name, (price, n) in amounts.items() if price is not None}
