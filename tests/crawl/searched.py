"""A bank to search in: several files, with rows in between that are not searched, and many ties."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tests.crawl.handmade import HERE, TINY
from ufd_ray.schema import bank_row
from ufd_ray.storage import (
    BankInfo,
    embedding_column,
    read_bank_info,
    write_document,
    write_table,
)

ROWS_PER_FILE = 7


def make_searched_bank(folder: Path, num_rows: int = 40, dtype: str = "float32") -> BankInfo:
    """Half of the vectors come twice, under other ids, and some in both classes.

    Of `num_rows` rows every fifth validates and every seventh is a view; no file is like another.
    """
    rng = np.random.default_rng(3)
    place = np.arange(num_rows)
    vectors = rng.normal(size=(num_rows, TINY.dim)).astype(dtype)[place % (num_rows * 2 // 3)]
    names = [f"{number:032x}" for number in rng.permutation(num_rows)]
    split = np.where(place % 5 == 4, "val", "train")
    view = (place % 7 == 6).astype(np.int16)
    columns = {
        "image_id": names,
        "uri": [f"/bank/{name}.png" for name in names],
        "member": pa.nulls(num_rows, pa.string()),
        "label": place // 3 % 2,
        "source": [None if number % 4 else "by hand" for number in place],
        "split": split,
        "view": view,
        "embedding": embedding_column(vectors),
    }
    rows = pa.table(columns).cast(bank_row(TINY.dim, dtype))
    files = [
        write_table(
            str(folder),
            f"shards/part-{number:05d}.parquet",
            rows.slice(start, ROWS_PER_FILE),
            HERE,
        )
        for number, start in enumerate(range(0, num_rows, ROWS_PER_FILE))
    ]
    content = {
        "encoder": TINY.to_dict(),
        "dim": TINY.dim,
        "dtype": dtype,
        "counts": {"label": {}, "split": {}, "view": {}},
        "shards": [asdict(file) for file in files],
        "num_searchable": int(((split == "train") & (view == 0)).sum()),
    }
    write_document(str(folder), "bank.json", content, HERE)
    return read_bank_info(str(folder), HERE)


def queries(num: int = 20, dtype: str = "float32") -> npt.NDArray[np.float32]:
    """Some of the bank's own vectors among others."""
    drawn = np.random.default_rng(3).normal(size=(num, TINY.dim)).astype(dtype)
    drawn[::2] = np.random.default_rng(4).normal(size=(len(drawn[::2]), TINY.dim))
    return drawn
