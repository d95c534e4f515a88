"""The searches that `search.py --device cuda` compares."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from search_data import Bank, Floats
from search_peers import Rows, Search

from ufd_ray.detectors.search import CentredRows, StoredRows, UnitRows, bounded_products
from ufd_ray.detectors.search.floors import Floors
from ufd_ray.detectors.search.pool import Pool
from ufd_ray.detectors.search.scan import scan

TILE_QUERIES = 1024
CUDA = torch.device("cuda")


class ScanAlone(Search):
    """Ours without what follows the scan: every row that may be wanted, on the GPU, unordered."""

    def __init__(self, bank: Bank) -> None:
        super().__init__()
        rows = StoredRows(bank.vectors)
        self._coarse = CentredRows(rows, bank.labels, torch.float16, CUDA)

    def search(self, queries: Floats, k: int) -> None:
        units = UnitRows.of(torch.from_numpy(queries).to(CUDA)).double()
        pool = Pool(Floors.unknown(len(units), k, CUDA), k, None)
        with bounded_products(CUDA):
            [found] = scan(
                self._coarse, self._coarse.prepare(units), [(slice(0, len(units)), pool)]
            )
        torch.cuda.synchronize()
        self.notes = {"candidates a query": round(len(found) / len(queries), 1)}


class HalfTopk(Search):
    """Rounded to fp16, multiplied, `torch.topk`: what is usually written. It is not exact."""

    def __init__(self, bank: Bank) -> None:
        super().__init__()
        self._bank = torch.from_numpy(bank.vectors).to("cuda", torch.float16)

    def search(self, queries: Floats, k: int) -> Rows:
        halves = torch.from_numpy(queries).to("cuda", torch.float16)
        found = [
            torch.topk(some @ self._bank.t(), k, dim=1).indices
            for some in halves.split(TILE_QUERIES)
        ]
        rows: Rows = torch.cat(found).cpu().numpy()
        return rows


class FaissGpu(Search):
    """IndexFlatIP on the GPU, over fp32."""

    def __init__(self, bank: Bank) -> None:
        super().__init__()
        import faiss

        self._resources = faiss.StandardGpuResources()  # the index needs it as long as it lives
        self._index = faiss.GpuIndexFlatIP(self._resources, bank.vectors.shape[1])
        self._index.add(bank.vectors)

    def search(self, queries: Floats, k: int) -> Rows:
        rows: Rows = self._index.search(queries, k)[1]
        return rows


class Cuvs(Search):
    """cuVS's brute force, over fp32."""

    def __init__(self, bank: Bank) -> None:
        super().__init__()
        from cuvs.neighbors import brute_force

        self._searching: Any = brute_force.search
        self._bank = torch.from_numpy(bank.vectors).cuda()
        self._index = brute_force.build(self._bank, metric="inner_product")
        torch.cuda.synchronize()

    def search(self, queries: Floats, k: int) -> Rows:
        on_gpu = torch.from_numpy(queries).cuda()
        rows = torch.empty((len(queries), k), dtype=torch.int64, device="cuda")
        similarity = torch.empty((len(queries), k), dtype=torch.float32, device="cuda")
        torch.cuda.synchronize()  # cuVS works on a stream of its own
        self._searching(self._index, on_gpu, k, neighbors=rows, distances=similarity)
        torch.cuda.synchronize()
        found: Rows = rows.cpu().numpy().astype(np.int64)
        return found
