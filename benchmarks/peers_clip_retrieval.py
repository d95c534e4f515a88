"""clip-retrieval's own inference over a folder of files. For `peers.py`."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from clip_retrieval.clip_inference.main import main as inference


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--arch", required=True)
    parser.add_argument("--weights", type=Path, required=True, help="absolute path")
    parser.add_argument("--batch-size", type=int, required=True)
    asked = parser.parse_args()
    inference(
        input_dataset=str(asked.images),
        output_folder=str(asked.output),
        input_format="files",
        batch_size=asked.batch_size,
        num_prepro_workers=len(os.sched_getaffinity(0)),
        enable_text=False,
        enable_metadata=False,
        clip_model=f"open_clip:{asked.arch}/{asked.weights}",
        use_jit=False,
        enable_wandb=False,
    )


if __name__ == "__main__":
    main()
