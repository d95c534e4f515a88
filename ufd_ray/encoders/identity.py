"""Who an encoder is: what must agree before two embeddings may meet."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, get_args

from ufd_ray.errors import IdentityError
from ufd_ray.settings import PreprocessMode

Triple = tuple[float, float, float]


def triple(values: Iterable[float]) -> Triple:
    """Three numbers as floats: one library has tuples, another lists, and 0 is to be 0.0."""
    red, green, blue = (float(value) for value in values)
    return red, green, blue


@dataclass(frozen=True)
class EncoderIdentity:
    """All that decides an embedding, save the precision that it was computed in.

    Attributes:
        arch: architecture as built: with its activation function, `ViT-L-14-quickgelu`.
        weights: where the weights came from, as in the spec. Provenance; the digest decides.
        preprocess: how pixels are cut out of an image.
        input_size: side of the square that the encoder sees, pixels.
        mean: per channel (RGB), on the scale where white is 1.
        std: likewise.
        dim: numbers in an embedding.
        weights_digest: SHA-256 over the image tower's tensors, 64 hex digits.
    """

    arch: str
    weights: str
    preprocess: PreprocessMode
    input_size: int
    mean: Triple
    std: Triple
    dim: int
    weights_digest: str

    @property
    def encoder_id(self) -> str:
        """Short hash, 16 hex digits; equal exactly when embeddings may meet."""
        provenance = ("weights", "dim")  # the digest decides, and the width follows
        decisive = {k: v for k, v in asdict(self).items() if k not in provenance}
        text = json.dumps(decisive, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def spec(self) -> str:
        """`ARCH:WEIGHTS`."""
        return f"{self.arch}:{self.weights}"

    @property
    def is_random(self) -> bool:
        """Whether the weights are random: for tests, and to be said wherever results are shown."""
        return self.weights.startswith("random:")

    def to_dict(self) -> dict[str, Any]:
        """For JSON: all fields, and `encoder_id` for readers."""
        plain = asdict(self) | {"mean": list(self.mean), "std": list(self.std)}
        return plain | {"encoder_id": self.encoder_id}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> EncoderIdentity:
        """The inverse of `to_dict`.

        Raises:
            IdentityError: a field is missing, is no such value, or does not go with `encoder_id`.
        """
        if not isinstance(data, Mapping):
            raise IdentityError(f"encoder identity is a {type(data).__name__}, no mapping")
        missing = [field.name for field in fields(cls) if field.name not in data]
        if missing:
            raise IdentityError(f"encoder identity lacks {', '.join(missing)}; got {_keys(data)}")
        if data["preprocess"] not in get_args(PreprocessMode):
            raise IdentityError(
                f"encoder identity has preprocess {data['preprocess']!r}; expected crop or resize"
            )
        try:
            identity = cls(
                arch=str(data["arch"]),
                weights=str(data["weights"]),
                preprocess=data["preprocess"],
                input_size=int(data["input_size"]),
                mean=triple(data["mean"]),
                std=triple(data["std"]),
                dim=int(data["dim"]),
                weights_digest=str(data["weights_digest"]),
            )
        except (TypeError, ValueError) as error:
            raise IdentityError(f"encoder identity cannot be read: {error}") from error
        stored = data.get("encoder_id", identity.encoder_id)
        if stored != identity.encoder_id:
            raise IdentityError(
                f"encoder identity of {identity.spec} was changed: its encoder_id is {stored!r},"
                f" its fields give {identity.encoder_id!r}"
            )
        return identity


def require_same(a: EncoderIdentity, b: EncoderIdentity, name_a: str, name_b: str) -> None:
    """Refuse to let embeddings of two different encoders meet.

    Args:
        a: one identity.
        b: the other.
        name_a: what has it, for the message: `the bank s3://…`.
        name_b: likewise.

    Raises:
        IdentityError: one line with both identities and each field that differs.
    """
    if a.encoder_id == b.encoder_id:
        return
    left, right = asdict(a), asdict(b)
    differences = [
        f"{name} {_short(left[name])} ≠ {_short(right[name])}"
        for name in left
        if left[name] != right[name]
    ]
    raise IdentityError(
        f"{name_a} and {name_b} were made by different encoders: {name_a} by {a.spec}"
        f" (encoder_id {a.encoder_id}), {name_b} by {b.spec} (encoder_id {b.encoder_id});"
        f" they differ in {'; '.join(differences)}"
    )


def _short(value: object) -> str:
    text = str(value)
    return f"{text[:12]}…" if len(text) == 64 else text  # the first digits of a digest will do


def _keys(data: Mapping[str, Any]) -> str:
    return ", ".join(data) or "nothing"
