"""A whole bank on a GPU that answers for all of its rows: a plain class, made an actor by Ray."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ufd_ray.detectors import Embeddings, Neighbors, NeighborSearch
from ufd_ray.pipeline.search_device import gpu_errors, require_search_device
from ufd_ray.settings import Device


class BankCopy:
    """A bank that is searched on this machine's device, as soon as it is first needed.

    Args:
        fetch: the search; what it raises, `search` does.
        device: on which it computes.
    """

    def __init__(self, fetch: Callable[[], NeighborSearch], device: Device) -> None:
        self._fetch = fetch
        self._device = device
        self._search: NeighborSearch | None = None

    def load(self) -> NeighborSearch:
        """Fetch it, if that has not been done.

        Raises:
            StorageError: the bank cannot be read or searched.
            ClusterError: the device cannot be used.
        """
        if self._search is None:
            require_search_device(self._device)
            self._search = self._fetch()
        return self._search

    def search(
        self,
        queries: Embeddings,
        k: int,
        leave_out: NDArray[np.int64] | None = None,
        per_class: int = 1,
    ) -> Neighbors:
        """As `NeighborSearch.search`.

        Raises:
            ValueError: as there.
            StorageError: the bank cannot be read or searched.
            ClusterError: the device cannot be used, or has too little memory.
        """
        search = self.load()
        with gpu_errors():
            return search.search(queries, k, leave_out=leave_out, per_class=per_class)
