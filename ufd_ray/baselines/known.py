"""The names under which the paper's other detectors stand in commands and tables."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from ufd_ray.baselines import (
    co_occurrence,
    fine_tuned_clip,
    patch_classifier,
    spectrum,
    trained_network,
)
from ufd_ray.baselines.baseline import Baseline
from ufd_ray.errors import SettingsError


@dataclass(frozen=True)
class Known:
    """A baseline, and what may be chosen of it.

    Attributes:
        make: of name, architecture, whether these are the published ones, and options.
        archs: its architectures, the published one first.
        options: the words that each option may have, the published one first.
    """

    make: Callable[..., Baseline]
    archs: tuple[str, ...]
    options: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


_TRAINED, _PATCHES = trained_network.TrainedNetwork, patch_classifier.PatchClassifier

BASELINES = {
    "resnet50-blur-jpeg-0.1": Known(partial(_TRAINED, perturbed=0.1), trained_network.ARCHS),
    "resnet50-blur-jpeg-0.5": Known(partial(_TRAINED, perturbed=0.5), trained_network.ARCHS),
    "clip-vit-l14-tuned": Known(fine_tuned_clip.FineTunedClip, fine_tuned_clip.ARCHS),
    "patch-resnet50-layer1": Known(_PATCHES, patch_classifier.RESNETS, patch_classifier.OPTIONS),
    "patch-xception-block2": Known(_PATCHES, patch_classifier.XCEPTIONS, patch_classifier.OPTIONS),
    "co-occurrence": Known(co_occurrence.CoOccurrence, co_occurrence.ARCHS, co_occurrence.OPTIONS),
    "spectrum": Known(spectrum.SpectrumClassifier, spectrum.ARCHS),
}
"""In the order of the paper's Tables 2 and 3."""


def baseline_named(
    name: str, arch: str | None = None, options: Mapping[str, str] | None = None
) -> Baseline:
    """Make a baseline by its name. No network is built.

    Args:
        name: of `BASELINES`.
        arch: its architecture; None: the published one.
        options: by name, those that are not to be as published.

    Raises:
        SettingsError: there is no such name, architecture, option or word for it.
    """
    known = BASELINES[_checked(name, list(BASELINES), "baseline")]
    published = {option: words[0] for option, words in known.options.items()}
    chosen = dict(published)
    for option, word in (options or {}).items():
        _checked(option, list(known.options), f"option of {name}")
        chosen[option] = _checked(word, known.options[option], f"{option} of {name}")
    if arch is None:
        arch = known.archs[0]
    _checked(arch, known.archs, f"architecture of {name}")
    is_published = (arch, chosen) == (known.archs[0], published)
    return known.make(name, arch, is_published, **chosen)


def _checked(word: str, words: Sequence[str], kind: str) -> str:
    if word in words:
        return word
    close = difflib.get_close_matches(word, words, n=3)
    hint = f" (close: {', '.join(close)})" if close else ""
    raise SettingsError(f"{word!r} is no {kind}{hint}; expected {_some(words)}")


def _some(words: Sequence[str]) -> str:
    if not words:
        return "nothing: it has none"
    if len(words) <= 8:
        return f"one of {', '.join(words)}"
    return f"one of {', '.join(words[:3])}, … {words[-1]}"
