"""How near an encoder comes to what a machine's matrix products allow, and by which means.

    python benchmarks/encoder.py --device cuda --output measured
    python benchmarks/encoder.py --device cpu --arch ViT-B-32-quickgelu --batch-sizes 2 4

One image tower in several recipes and batch sizes, by turns, as medians; beside each speed, how far
its embeddings lie from those in fp32 without any of it. Then the ways in which pixels come to the
device, and what jobs do, from NumPy to NumPy. Shares are of this machine's rate
at a half-precision product of 8192³. Weights are random: they decide no time.

On a CPU it compares bf16 in place of fp16, or fp32 alone where the CPU is slow in that.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
import torch._dynamo
from encoder_feeds import FEEDS
from encoder_product import flops_per_image, product_rate, product_shapes
from encoder_recipes import DTYPES, Recipe, Runner, deviation, random_pixels, wait
from encoder_report import Figure, write
from hardware import machine
from torch import Tensor

from ufd_ray.cpu import fast_bf16
from ufd_ray.encoders.build import build_tower
from ufd_ray.encoders.cpu_batches import CpuBatches
from ufd_ray.encoders.encoder import Encoder
from ufd_ray.encoders.gpu import GpuBatches
from ufd_ray.encoders.spec import EncoderSpec
from ufd_ray.encoders.tower import Tower
from ufd_ray.pipeline.memory import keep_memory

COMPARED = 64
"""Images whose embeddings are compared with those in fp32."""


def main() -> None:
    asked = arguments()
    begun = time.perf_counter()
    cuda = asked.device == "cuda"
    if not cuda:
        keep_memory()
    if asked.threads:
        torch.set_num_threads(asked.threads)
    # So are they in the package: without, fp32 is fp32 in convolutions as well.
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    # One block's code is compiled anew for every recipe and batch size.
    torch._dynamo.config.recompile_limit = torch._dynamo.config.accumulated_recompile_limit = 99
    spec = EncoderSpec(asked.arch, asked.weights)
    tower, _ = build_tower(spec)
    tower.module.eval()
    half = "fp16" if cuda else "bf16" if fast_bf16() else "fp32"
    about = machine(asked.device)
    about |= {"encoder": str(spec), "input_size": tower.input_size}
    about["flops_per_image"] = flops_per_image(tower)
    say(f"{spec}: {about['flops_per_image'] / 1e9:.1f} GFLOP an image")
    bench = Bench(tower, asked, about["flops_per_image"])
    about |= bench.products(half)
    for recipe in dict.fromkeys(recipes(half, cuda)):
        for num_images in sorted(asked.batch_sizes):
            swept = recipe in swept_recipes(half, cuda)
            if not swept and num_images != asked.batch_size:
                continue
            if time.perf_counter() - begun > asked.limit_s * 0.5:
                bench.leave_out(recipe, num_images, "no time was left")
                continue
            bench.make(recipe, num_images)
    bench.take_turns()
    write(asked.output, about, bench.figures)
    best = bench.best()
    for feed in FEEDS:
        bench.feed(best, feed)
    bench.take_feed_turns()
    bench.runners.clear()
    bench.as_jobs_do(spec, half)
    about["took_s"] = round(time.perf_counter() - begun, 1)
    write(asked.output, about, bench.figures)
    if asked.profile:
        bench.profile(half, best, asked.output / "profile.txt")
    print((asked.output / "encoder.md").read_text())


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])  # type: ignore[union-attr]
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cpu")
    parser.add_argument("--arch", default="ViT-L-14-quickgelu")
    parser.add_argument("--weights", default="random:0")
    parser.add_argument("--batch-sizes", type=int, nargs="+", default=[32, 64, 128, 256, 512])
    parser.add_argument("--batch-size", type=int, help="at which recipes are compared")
    parser.add_argument("--rounds", type=int, default=3, help="turns")
    parser.add_argument("--turn-s", type=float, default=0.35, help="seconds of a turn, at least")
    parser.add_argument("--limit-s", type=float, default=150, help="after .5 no recipe is begun")
    parser.add_argument("--threads", type=int, help="on a CPU; without it, torch's default")
    parser.add_argument("--product", type=int, default=8192, help="side of the square product")
    parser.add_argument("--profile", action="store_true", help="also the kernels of the fastest")
    parser.add_argument("--output", type=Path, default=Path("measured"))
    asked = parser.parse_args()
    asked.batch_size = asked.batch_size or sorted(asked.batch_sizes)[len(asked.batch_sizes) // 2]
    return asked


def recipes(half: str, cuda: bool) -> Iterator[Recipe]:
    """Those that take longest to make come last."""
    yield Recipe("fp32")
    yield Recipe(half)
    yield Recipe(half, lean=True)
    if half == "bf16":
        yield Recipe(half, lean=True, packed=True)
    yield Recipe(half, compiled="blocks")
    if not cuda:
        yield Recipe(half, channels_last=True)
        return
    yield Recipe(half, lean=True, compiled="blocks")
    yield Recipe(half, channels_last=True)
    yield Recipe(half, lean=True, channels_last=True)
    yield Recipe(half, native_attention=False)
    yield Recipe("bf16")
    yield Recipe("bf16", lean=True)
    yield Recipe("bf16", compiled="blocks")
    yield Recipe(half, compiled="whole")
    yield Recipe(half, compiled="whole", mode="reduce-overhead")
    yield Recipe(half, compiled="blocks", mode="max-autotune-no-cudagraphs")


def swept_recipes(half: str, cuda: bool) -> list[Recipe]:
    """Those that are compared in every batch size."""
    swept = [Recipe(half), Recipe(half, lean=True)]
    if half == "bf16":
        swept += [Recipe(half, lean=True, packed=True)]
    return [*swept, Recipe(half, compiled="blocks")] if cuda else swept


class Bench:
    """What is measured of one tower on one device.

    Args:
        tower: in fp32 on the CPU.
        asked: the flags.
        flops: operations an image.
    """

    def __init__(self, tower: Tower, asked: argparse.Namespace, flops: int) -> None:
        self._tower, self._asked, self._flops = tower, asked, flops
        self.figures: list[Figure] = []
        self.runners: dict[Recipe, Runner] = {}
        most = max(*asked.batch_sizes, COMPARED if asked.device == "cuda" else 0)
        self._pixels = random_pixels(most, tower.input_size)
        self._there = self._pixels.to(asked.device)
        self._exact: Tensor | None = None
        self._rate = 0.0

    def products(self, half: str) -> dict[str, Any]:
        """This machine's rates at the square product, and at the tower's own."""
        asked, dtype = self._asked, DTYPES[half]
        side = asked.product
        square = product_rate((side, side, side), dtype, asked.device, asked.rounds)
        self._rate = square["flops"]
        own = []
        for shape, times in product_shapes(self._tower, asked.batch_size).items():
            if times >= 4:  # those of the repeated blocks: nearly all of it
                one = product_rate(shape, dtype, asked.device, asked.rounds)
                own.append(one | {"times": times})
        seconds = sum(one["seconds"] * one["times"] for one in own)
        done = sum(one["seconds"] * one["times"] * one["flops"] for one in own)
        say(f"{half} product: {square['flops'] / 1e12:.2f} TFLOP/s at {side}³")
        ceiling: dict[str, float] = {}
        if own:
            ceiling = {"rate": done / seconds, "images_per_s": asked.batch_size / seconds}
        return {"product": square | {"precision": half}, "own_products": own, "own": ceiling}

    def leave_out(self, recipe: Recipe | str, num_images: int, why: str) -> None:
        self.figures.append(Figure(str(recipe), num_images, left_out=why))
        say(f"{recipe}, {num_images}: left out, {why}")

    def make(self, recipe: Recipe, num_images: int) -> None:
        """Build, compile, warm up and compare. What fails is said in the table, by its name."""
        pixels = self._there[:num_images]
        try:
            if recipe not in self.runners:
                self.runners[recipe] = Runner(self._tower, recipe, self._asked.device)
            runner = self.runners[recipe]
            if self._asked.device == "cuda":
                torch.cuda.reset_peak_memory_stats()
            runner.warm(pixels)
            some = runner(pixels)[:COMPARED].clone()  # a graph's own memory is written over
        except Exception as error:  # noqa: BLE001 - a finding, not the end
            self.leave_out(recipe, num_images, f"{type(error).__name__}: {str(error)[:300]}")
            return
        if self._exact is None:
            self._exact = torch.cat(
                [runner(part).clone() for part in self._there[:COMPARED].split(num_images)]
            )
        figure = Figure(str(recipe), num_images, flops=self._flops, rate=self._rate)
        figure.recipe = recipe
        figure.deviation = deviation(some, self._exact[: len(some)])
        figure.notes["first batch"] = f"{runner.first_s[num_images]:.1f} s"
        if self._asked.device == "cuda":
            peak = torch.cuda.max_memory_allocated() / 2**30
            figure.notes["peak"] = f"{peak:.1f} GiB, all recipes' weights in it"
        self.figures.append(figure)
        say(f"{recipe}, {num_images}: ready after {runner.first_s[num_images]:.1f} s")

    def take_turns(self) -> None:
        """Time what was made, round by round."""
        made = [f for f in self.figures if f.recipe is not None]
        for _ in range(self._asked.rounds):
            for figure in made:
                runner = self.runners[figure.recipe]
                pixels = self._there[: figure.num_images]
                figure.seconds.append(self._turn(lambda r=runner, p=pixels: r(p)))  # type: ignore[misc]
        for figure in made:
            say(str(figure))

    def best(self) -> Figure:
        return min((f for f in self.figures if f.seconds), key=lambda f: f.per_image)

    def feed(self, best: Figure, name: str) -> None:
        """The fastest recipe, its pixels coming from memory by such a way."""
        figure = Figure(best.name, best.num_images, copies=name, flops=self._flops, rate=self._rate)
        figure.deviation = best.deviation
        figure.fed = best.recipe
        self.figures.append(figure)

    def take_feed_turns(self) -> None:
        several = 8 if self._asked.device == "cuda" else 2
        fed = [f for f in self.figures if f.fed is not None]
        for turn in range(self._asked.rounds + 1):
            for figure in fed:
                runner = self.runners[figure.fed]
                batches = [self._pixels[: figure.num_images]] * several
                begun = time.perf_counter()
                FEEDS[figure.copies](runner, batches)
                if turn:  # the first is for warming up
                    figure.seconds.append((time.perf_counter() - begun) / several)
        for figure in fed:
            say(str(figure))

    def as_jobs_do(self, spec: EncoderSpec, half: Any) -> None:
        """From NumPy to NumPy, through the package's own encoder."""
        how = f"{half} · package"
        try:
            encoder = Encoder.load(spec, device=self._asked.device, precision=half)
            for at_once in (None, *sorted(self._asked.batch_sizes)):
                self._package(encoder, at_once, how)
        except Exception as error:  # noqa: BLE001 - a finding, not the end
            self.leave_out(how, 0, f"{type(error).__name__}: {str(error)[:300]}")

    def _package(self, encoder: Encoder, at_once: int | None, how: str) -> None:
        cuda = self._asked.device == "cuda"
        if not cuda and at_once is None:
            return
        begun = time.perf_counter()
        batches: GpuBatches | CpuBatches
        if cuda:
            batches = GpuBatches(encoder, at_once)
            size = batches.at_once
        else:
            batches, size = CpuBatches(encoder, torch.get_num_threads()), at_once or 1
        made_s = time.perf_counter() - begun
        times = 8 if cuda else 1
        pixels = self._pixels[torch.arange(times * size) % len(self._pixels)].numpy()
        encode = batches.encode
        copies = "NumPy to NumPy" + (", tried out" if at_once is None else "")
        figure = Figure(how, size, copies=copies, flops=self._flops, rate=self._rate)
        if at_once is None:
            figure.notes["trial"] = f"{made_s:.1f} s"
        found = torch.from_numpy(encode(pixels))[:COMPARED]
        if self._exact is not None:
            figure.deviation = deviation(found, self._exact[: len(found)])
        for _ in range(self._asked.rounds):
            figure.seconds.append(self._turn(lambda: encode(pixels), 1) / times)
        self.figures.append(figure)
        say(str(figure))

    def profile(self, half: str, best: Figure, path: Path) -> None:
        """Which kernels the time goes to, without and with the fastest recipe."""
        from torch.profiler import ProfilerActivity, profile

        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = self._there[: best.num_images]
        kinds = [ProfilerActivity.CPU]
        by = "self_cpu_time_total"
        if self._asked.device == "cuda":
            kinds, by = [ProfilerActivity.CUDA], "self_cuda_time_total"
        texts = []
        for recipe in (Recipe(half), Recipe(half, lean=True), best.recipe):
            runner = Runner(self._tower, recipe, self._asked.device)
            runner.warm(pixels)
            with profile(activities=kinds) as seen:
                runner(pixels)
                wait(self._asked.device)
            rows = seen.key_averages().table(sort_by=by, row_limit=20, max_name_column_width=90)
            texts.append(f"{recipe}, {best.num_images} images\n{rows}")
        path.write_text("\n".join(texts))

    def _turn(self, run: Any, waited_for_after: int = 4) -> float:
        wait(self._asked.device)
        begun, times = time.perf_counter(), 0
        while times == 0 or time.perf_counter() - begun < self._asked.turn_s:
            for _ in range(waited_for_after if self._asked.device == "cuda" else 1):
                run()
                times += 1
            wait(self._asked.device)
        return (time.perf_counter() - begun) / times


def say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    main()
