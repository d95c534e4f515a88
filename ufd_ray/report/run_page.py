"""`report.html` of a run: one self-contained file, no script, nothing loaded from elsewhere."""

from __future__ import annotations

import html
from typing import Any

from ufd_ray.report.histogram import Histogram

_STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --soft: #57606a; --line: #d0d7de;
  --bar: #0b6e99; --page: #fff }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6edf3; --soft: #9aa4af; --line: #3a424c; --bar: #4fb3d9; --page: #12161b }
}
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--page);
       max-width: 46rem; margin: 2.5rem auto; padding: 0 1rem }
h1 { font-size: 1.5rem; margin-bottom: 0 } h2 { font-size: 1.1rem; margin-top: 2rem }
p.lead { color: var(--soft); margin-top: .25rem }
p.warning { border-left: 4px solid #b35900; padding-left: .75rem }
table { border-collapse: collapse; width: 100%; table-layout: fixed }
th, td { text-align: left; padding: .3rem .75rem .3rem 0; border-bottom: 1px solid var(--line);
         vertical-align: top; overflow-wrap: anywhere }
th { font-weight: normal; color: var(--soft); width: 40% }
td.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap }
figure { margin: 0 } figcaption { color: var(--soft); font-size: .9rem }
svg { width: 100%; height: auto } svg rect { fill: var(--bar) }
svg text { fill: var(--soft); font-size: 11px } svg line { stroke: var(--line) }
svg line.threshold { stroke: var(--ink); stroke-dasharray: 4 3 }
svg line.unsure { stroke: var(--ink); stroke-dasharray: 1 3 }
"""


_WENT_INTO = {
    "start_up": "to the first batch",
    "encode": "encoding, as fast as alone",
    "slowed": "encoding, slowed by others on its cores",
    "fetch": "encoders waited for fetching",
    "decode": "encoders waited for decoding",
    "search": "encoders waited for the search",
    "closing": "after the last batch",
}
"""Of `seconds` in a run's `efficiency`."""
_WHO = {"probe": "probe", "neighbors": "neighbours’ vote", "margin": "neighbours’ margin"}

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{title}</title><style>{style}</style></head>
<body><main>
{body}
</main></body></html>
"""


def render_run(run: dict[str, Any], histogram: Histogram) -> str:
    """The page of a published run.

    Args:
        run: what `run.json` holds. Names in it may be a stranger's: all are escaped.
        histogram: images by the deciding score.

    Returns:
        HTML; its size does not depend on the number of images.
    """
    counts, detectors, timings = run["counts"], run["detectors"], run["timings"]
    unsure = counts["by_verdict"].get("unsure", 0)
    scored = counts["by_status"].get("scored", 0)
    fake = counts["by_verdict"].get("fake", 0)
    rate = counts["images"] / max(timings["whole_run_s"], 1e-9)
    share = f"{fake / scored:.1%}" if scored else "–"
    lead = f"{run['outcome'].replace('_', ' ')} · {run['started_at']} to {run['finished_at']}"
    paragraphs = [
        f'<p class="lead">{html.escape(lead)} · {rate:,.1f} images a second, start-up included</p>',
        f"<p>{scored:,} of {counts['images']:,} images were scored. {fake:,} of them ({share}) were"
        f" called fake by the {_WHO[detectors['decided_by']]}{_say_unsure(unsure, detectors)}.</p>",
    ]
    if detectors["weights_are_random"]:
        warning = "The encoder’s weights are random: the scores mean nothing."
        paragraphs.insert(1, f'<p class="warning">{warning}</p>')
    became = [(f"verdict {word}", n) for word, n in sorted(counts["by_verdict"].items())]
    became += [(f"error {code}", n) for code, n in sorted(counts["by_error_code"].items())]
    became += [("same bytes as an earlier image", counts["duplicates"])]
    took = [("whole run, seconds", timings["whole_run_s"])]
    took += [(f"{k}, worker seconds", v) for k, v in timings["worker_seconds_by_stage"].items()]
    if estimate := run.get("estimate"):
        took += [("predicted by the plan, seconds", estimate["predicted_s"])]
        took += [("whole run, of what was predicted", estimate["ratio"])]
        if not estimate["same_machines"]:
            planned, there = (
                f"{estimate[cpus]:,} CPUs and {estimate[gpus]:,} GPUs"
                for cpus, gpus in (("cpus_planned", "gpus_planned"), ("cpus", "gpus"))
            )
            took += [("the plan was for other machines", f"{planned}; there were {there}")]
    decided = [(k, v) for k, v in detectors.items() if k not in ("encoder", "encoder_id")]
    decided += [(f"encoder {k}", v) for k, v in detectors["encoder"].items() if k != "encoder_id"]
    decided += [("encoder_id", detectors["encoder_id"])]
    title = html.escape(f"Run {run['run_id']}")
    body = [
        f"<h1>{title}</h1>",
        *paragraphs,
        "<h2>How the scores lie</h2>",
        _histogram(histogram, detectors),
        "<h2>What became of the images</h2>",
        _table(became),
        "<h2>Where the time went</h2>",
        _table(took),
        *_say_efficiency(run.get("efficiency")),
        "<h2>What decided</h2>",
        _table(decided),
        "<h2>Settings and versions</h2>",
        _table([*run["settings"].items(), *run["versions"].items()]),
    ]
    return _PAGE.format(title=title, style=_STYLE, body="\n".join(body))


def _say_efficiency(found: dict[str, Any] | None) -> list[str]:
    if found is None:
        return []
    rows = [
        ("share of what they do alone, first batch to last", found["steady"]),
        ("the same, whole run", found["whole_run"]),
    ]
    rows += [(f"{_WENT_INTO.get(name, name)}, seconds", n) for name, n in found["seconds"].items()]
    return ["<h2>How near it came to its encoders alone</h2>", _table(rows)]


def _say_unsure(unsure: int, detectors: dict[str, Any]) -> str:
    if detectors.get("unsure_above") is None:
        return ""
    return f", and {unsure:,} are left unsure"


def _table(rows: list[tuple[str, Any]]) -> str:
    cells = []
    for name, value in rows:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        text = f"{value:,}" if is_number else html.escape(_words(value))
        kind = " class=number" if is_number else ""
        cells.append(f"<tr><th scope=row>{html.escape(name)}</th><td{kind}>{text}</td></tr>")
    return f"<table>{''.join(cells)}</table>"


def _words(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_words(part)}" for name, part in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "–"
    return "–" if value is None else str(value)


def _histogram(histogram: Histogram, detectors: dict[str, Any]) -> str:
    threshold, unsure_above = detectors["threshold"], detectors.get("unsure_above")
    marks = [("threshold", threshold)] + [("unsure", unsure_above)] * (unsure_above is not None)
    shown = histogram.bars(*(value for _, value in marks))
    width, height, foot = 640, 180, 22
    counts = shown.counts
    top = max(int(counts.max()), 1)
    step = width / len(counts)
    bars = "".join(
        f'<rect x="{i * step + 1:.1f}" y="{height - height * n / top:.1f}" width="{step - 2:.1f}"'
        f' height="{height * n / top:.1f}"><title>{n:,} images</title></rect>'
        for i, n in enumerate(map(int, counts))
    )
    ticks = "".join(
        f'<text x="{width * part:.0f}" y="{height + 16}" text-anchor="{anchor}">'
        f"{shown.low + part * (shown.high - shown.low):g}</text>"
        for part, anchor in (
            (0, "start"),
            (0.25, "middle"),
            (0.5, "middle"),
            (0.75, "middle"),
            (1, "end"),
        )
    )
    lines = ""
    for kind, value in marks:
        at = width * (value - shown.low) / (shown.high - shown.low)
        lines += f'<line class="{kind}" x1="{at:.1f}" x2="{at:.1f}" y1="0" y2="{height}"/>'
    label = f"Histogram of the deciding score over {int(counts.sum()):,} images"
    scale = (
        "margin, below 0 real, above 0 generated"
        if shown.low < 0
        else "score, 0 real to 1 generated"
    )
    name = detectors.get("threshold_name")
    said = f"the dashed line is the threshold {threshold:g}"
    if name not in (None, "default", "given"):
        said += f" ({html.escape(str(name))})"
    if unsure_above is not None:
        said += f", the dotted one {unsure_above:g}, above which an image is unsure"
    return (
        f'<figure><svg viewBox="0 0 {width} {height + foot}" role="img" aria-label="{label}">{bars}'
        f'<line x1="0" x2="{width}" y1="{height}" y2="{height}"/>{lines}{ticks}</svg>'
        f"<figcaption>Images by {scale}; the fullest bin holds {top:,}; {said}.</figcaption>"
        "</figure>"
    )
