"""The cluster that a plan is for, and what it costs."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Machines:
    """Equal machines.

    Attributes:
        number: how many.
        cpus: of each.
        gpus: of each, on which encoders run; 0: they run on CPUs.
        gpu_images_per_s: images a second that one GPU encodes; None without GPUs.
        network_bytes_per_s: that each reads from the store; None: that is no bound.
        encoders: most encoder workers in all; None: one a GPU, or one a machine without any.
    """

    number: int
    cpus: int
    gpus: int = 0
    gpu_images_per_s: float | None = None
    network_bytes_per_s: float | None = None
    encoders: int | None = None

    @property
    def num_encoders(self) -> int:
        """Encoder workers in all."""
        return self.encoders or self.number * max(1, self.gpus)

    @property
    def encoders_a_machine(self) -> int:
        """The most of them that one machine has."""
        return math.ceil(self.num_encoders / self.number)

    def __str__(self) -> str:
        gpus = f" and {self.gpus:,} GPUs" if self.gpus else ""
        return f"{self.number:,} × {self.cpus:,} CPUs{gpus}"


@dataclass(frozen=True)
class Prices:
    """In any one currency; None: not given.

    Attributes:
        machine_hour: of one machine for one hour.
        thousand_gets: of 1,000 GET requests.
        thousand_lists: of 1,000 LIST, PUT or COPY requests.
        gb_egress: of reading 10^9 bytes.
    """

    machine_hour: float | None = None
    thousand_gets: float | None = None
    thousand_lists: float | None = None
    gb_egress: float | None = None
