"""pyarrow's file system over an fsspec store that takes nothing but plain bytes."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.fs


class PlainBytesHandler(pyarrow.fs.FSSpecHandler):  # type: ignore[misc] # pyarrow ships no types
    """Hands on what is written as unsigned bytes, without a copy.

    pyarrow writes small pieces as `bytes` and whole buffers as they are, whose items are *signed*
    bytes: obstore refuses those, and copies of files (Ray Train's checkpoints) consist of them.
    """

    def open_output_stream(self, path: str, metadata: Any) -> Any:
        """A new object."""
        return pa.PythonFile(_Unsigned(self.fs.open(path, mode="wb")), mode="w")


class _Unsigned:
    def __init__(self, file: Any) -> None:
        self._file = file

    def write(self, data: Any) -> int:
        view = memoryview(data).cast("B")
        self._file.write(view)
        return len(view)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)
