"""Other banks on the same test images: their neighbours, and a probe fitted on each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ufd_ray.encoders import EncoderIdentity
from ufd_ray.errors import IdentityError, SettingsError
from ufd_ray.pipeline.cluster import Cluster
from ufd_ray.pipeline.searching.budget import find_budget
from ufd_ray.pipeline.sweeping.scoring import Embedded
from ufd_ray.settings import EvaluateSettings
from ufd_ray.storage import BankInfo, StorageOptions, read_bank_info


@dataclass(frozen=True)
class OtherBank:
    """A bank that the evaluation's own is held against.

    Attributes:
        name: as it was given.
        bank: what `bank.json` says.
        encoder: whose embeddings it holds.
    """

    name: str
    bank: BankInfo
    encoder: EncoderIdentity

    @property
    def embedded_by(self) -> tuple[str, str]:
        """What test images have to be embedded by for it: encoder_id, and the kept precision."""
        return self.encoder.encoder_id, self.bank.dtype


def read_others(settings: EvaluateSettings, storage: StorageOptions) -> list[OtherBank]:
    """Read what the other banks say of themselves, and see that they can be used.

    Raises:
        SettingsError: one is not there, has too few images, or images of one class alone.
    """
    found = []
    for name, uri in settings.compared_banks.items():
        given = f"--compare-bank {name}={uri}"
        bank = read_bank_info(uri, storage, given)
        if settings.ks[-1] > bank.num_searchable:
            raise SettingsError(
                f"{given}: it has only {bank.num_searchable:,} images to search, and --ks asks for"
                f" {settings.ks[-1]}; give smaller numbers"
            )
        if not bank.fewest_searchable:
            raise SettingsError(f"{given}: it has images of one class alone, and both are needed")
        tell_small_class(given, "it", bank, settings.ks[-1])
        try:
            encoder = EncoderIdentity.from_dict(bank.encoder)
        except IdentityError as error:
            raise SettingsError(f"{given}: {error}") from error
        found.append(OtherBank(name, bank, encoder))
    return found


def tell_small_class(given: str, it: str, bank: BankInfo, k: int) -> None:
    """Say where the means of so many images of a class are over fewer.

    Args:
        given: how the user named the bank, or so many.
        it: the bank, in a sentence.
        bank: what `bank.json` says.
        k: the most images of each class that means are wanted of.
    """
    fewest = bank.fewest_searchable
    if 0 < fewest < k:
        print(
            f"{given}: of one class {it} has only {fewest:,} images, and means of more are over all"
            " of these"
        )


def check_memory(settings: EvaluateSettings, others: Sequence[OtherBank], cluster: Cluster) -> None:
    """See that a process has room for a bank's embeddings: it fits the probe.

    Raises:
        SettingsError: it has not.
    """
    if not cluster.num_nodes:
        return  # they are all still to come
    budget = find_budget(settings, cluster, None)
    for other in others:
        bank = other.bank
        size = sum(bank.counts["view"].values()) * bank.dim * np.dtype(bank.dtype).itemsize
        if size > budget.num_bytes:
            raise SettingsError(
                f"--compare-bank {other.name}={bank.uri}: for a probe on it, {budget.say(size)};"
                " raise --search-memory-mb, or give a smaller bank"
            )


def share_embeddings(
    others: Sequence[OtherBank], own: tuple[str, str]
) -> dict[tuple[str, str], list[OtherBank]]:
    """The banks by what test images have to be embedded by, the evaluation's own first.

    Args:
        others: the banks.
        own: what they are embedded by for the evaluation itself.
    """
    found: dict[tuple[str, str], list[OtherBank]] = {own: []}
    for other in others:
        found.setdefault(other.embedded_by, []).append(other)
    return found


def embedded_at(embedded: Embedded, parts: str) -> Embedded:
    """The same images, with embeddings that lie elsewhere."""
    return replace(embedded, parts=parts)
