"""What the paper's Tables 2 and 3 say of its own detectors, and Table 1 of the trained network.

Average precision is given for the cells of which it is certain to which detector a figure belongs;
the others are not known here: the text at hand has fewer figures than rows in their columns, and
what a row has to add up to leaves several ways to fill it. Accuracy is known for all of them.
"""

from __future__ import annotations

from ufd_ray.evaluation.paper.sets import PAPER_SETS

MEAN = "mean"
"""Stands beside the sets' keys for the tables' last column."""

_COLUMNS = (*PAPER_SETS, MEAN)

# In the order of `PAPER_SETS`, four lines: GANs; deepfakes and low-level vision; perceptual loss;
# diffusion and autoregressive models. Then the mean. Per cent; "-" is not known.
_TABLE_2 = {
    "NN, k = 1": """
        100.0 - - - - -  - - 67.54  83.13 91.07
        - 95.84 79.84 - - - - 88.51  90.32""",
    "NN, k = 3": """
        100.0 - - - - -  - - 67.54  83.13 91.06
        - 95.81 79.78 - - - - 88.47  90.22""",
    "NN, k = 5": """
        100.0 - - - - -  - - 67.54  83.12 91.06
        - 95.81 79.78 - - - - 88.46  90.22""",
    "NN, k = 9": """
        100.0 - - - - -  - - 67.54  83.12 91.06
        - 95.81 79.77 - - - - 88.45  90.14""",
    "LC": """
        100.0 - - - - -  - - 79.02  96.72 99.00
        - 99.14 92.15 - - - - 97.15  93.38""",
}
_TABLE_3 = {
    "NN, k = 1": """
        99.58 94.70 86.95 80.24 96.67 98.84  80.9 71.0 56.0  66.3 76.5
        68.76 89.56 68.99 89.51 86.44 88.02 87.27 77.52  82.30""",
    "NN, k = 3": """
        99.58 95.04 87.63 80.55 96.94 98.77  83.05 71.5 59.5  66.69 76.87
        70.02 90.37 70.17 90.57 87.84 89.34 88.78 79.29  83.28""",
    "NN, k = 5": """
        99.60 94.32 88.23 80.60 97.00 98.90  83.85 71.5 60.0  67.04 78.02
        70.55 90.89 70.97 91.01 88.42 90.07 89.60 80.19  83.72""",
    "NN, k = 9": """
        99.54 93.49 88.63 80.75 97.11 98.97  84.5 71.5 61.0  69.27 79.21
        71.06 91.29 72.02 91.29 89.05 90.67 90.08 81.47  84.25""",
    "LC": """
        100.0 98.50 94.50 82.00 99.50 97.00  66.60 63.00 57.50  59.5 72.00
        70.03 94.19 73.76 94.36 79.07 79.85 78.14 86.78  81.38""",
}


def _parse(rows: dict[str, str]) -> dict[str, dict[str, float]]:
    return {
        name: {
            column: float(cell)
            for column, cell in zip(_COLUMNS, text.split(), strict=True)
            if cell != "-"
        }
        for name, text in rows.items()
    }


# From the text of section 6.1. What it says of the neighbours is for no k that it names.
_GROUPS_OF_TABLE_2 = {"LC": {"gan": 99.31, "unseen": 95.00}}

PAPER_AVERAGE_PRECISION = {
    name: cells | _GROUPS_OF_TABLE_2.get(name, {}) for name, cells in _parse(_TABLE_2).items()
}
"""Table 2: detector → set's key, a group's or `MEAN` (mAP) → average precision, in per cent."""
PAPER_ACCURACY = _parse(_TABLE_3)
"""Table 3: likewise, accuracy averaged over both classes, in per cent."""

PAPER_ACCURACY_BY_CLASS: dict[str, dict[str, float]] = {
    "real": {"cyclegan": 98.64, "gaugan": 99.4, "ldm_200": 99.61, "guided": 99.14, "dalle": 99.61},
    "fake": {"cyclegan": 62.91, "gaugan": 59.1, "ldm_200": 3.05, "guided": 4.67, "dalle": 4.9},
    "average": {
        "cyclegan": 80.77,
        "gaugan": 79.25,
        "ldm_200": 51.33,
        "guided": 51.9,
        "dalle": 52.26,
    },
}
"""Table 1: class → set's key → accuracy of the trained network, in per cent.

Its averages are those of the row Blur+JPEG (0.5) of Table 3, which also tells that its LDM is the
one of 200 steps.
"""
