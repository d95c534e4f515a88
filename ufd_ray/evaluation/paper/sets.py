"""The paper's test sets: names, order, groups, and whose real images each is judged by.

Source: the paper's section 5.1 and Tables 2 and 3; names of folders as in its authors' code.
"""

from __future__ import annotations

PAPER_SETS: dict[str, str] = {
    "progan": "ProGAN",
    "cyclegan": "CycleGAN",
    "biggan": "BigGAN",
    "stylegan": "StyleGAN",
    "gaugan": "GauGAN",
    "stargan": "StarGAN",
    "deepfake": "Deepfakes",
    "sitd": "SITD",
    "san": "SAN",
    "crn": "CRN",
    "imle": "IMLE",
    "guided": "Guided",
    "ldm_200": "LDM 200",
    "ldm_200_cfg": "LDM 200 w/ CFG",
    "ldm_100": "LDM 100",
    "glide_100_27": "Glide 100 27",
    "glide_50_27": "Glide 50 27",
    "glide_100_10": "Glide 100 10",
    "dalle": "DALL-E",
}
"""Key → heading, in the order of the tables' columns."""

GROUPS: dict[str, tuple[str, ...]] = {
    "gan": tuple(PAPER_SETS)[:6],
    "unseen": tuple(PAPER_SETS)[11:],
}
"""Generative adversarial networks; unseen diffusion and autoregressive models."""

REALS_OF: dict[str, str] = {"guided": "imagenet"} | dict.fromkeys(tuple(PAPER_SETS)[12:], "laion")
"""Sets that have no real images of their own → the folder whose real images they share."""

_FOLDERS = {"seeingdark": "sitd"}
KNOWN_FOLDERS = frozenset((*PAPER_SETS, *_FOLDERS, *REALS_OF.values()))
"""Names of folders that are a set of the paper, or the real images of some."""


def key_of(name: str) -> str:
    """The set that a folder or a `source` of this name is: its own name, but for the paper's."""
    return _FOLDERS.get(name, name)
