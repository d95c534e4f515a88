"""The columns that other people's queries rest on, written out once more by hand."""

from __future__ import annotations

import pyarrow as pa
import pytest

from ufd_ray import schema

STRUCT = pa.struct(
    [
        ("image_id", pa.string()),
        ("uri", pa.string()),
        ("label", pa.int8()),
        ("source", pa.string()),
        ("similarity", pa.float32()),
    ]
)

SCORES = [
    ("image_id", pa.string()),
    ("uri", pa.string()),
    ("member", pa.string()),
    ("etag", pa.string()),
    ("size_bytes", pa.int64()),
    ("last_modified", pa.timestamp("us", tz="UTC")),
    ("status", pa.string()),
    ("error_code", pa.string()),
    ("error_message", pa.string()),
    ("content_hash", pa.string()),
    ("duplicate_of", pa.string()),
    ("format", pa.string()),
    ("width", pa.int32()),
    ("height", pa.int32()),
    ("probe_logit", pa.float32()),
    ("probe_score", pa.float32()),
    ("probe_probability", pa.float32()),
    ("nn_vote", pa.float32()),
    ("nn_margin", pa.float32()),
    ("nn_real_distance", pa.float32()),
    ("nn_fake_distance", pa.float32()),
    ("out_of_bank", pa.bool_()),
    ("neighbors", pa.list_(STRUCT)),
    ("verdict", pa.string()),
]


def test_columns_of_the_scores() -> None:
    assert [(field.name, field.type) for field in schema.SCORES] == SCORES
    required = [field.name for field in schema.SCORES if not field.nullable]
    assert required == ["image_id", "uri"]


def test_columns_of_a_manifest() -> None:
    names = [field.name for field in schema.MANIFEST]
    assert names == ["position", *(n for n, _ in SCORES[:6]), "offset"]
    assert schema.POSITION.type == schema.OFFSET.type == pa.int64()
    assert [(f.name, f.type) for f in schema.LABELS] == [
        ("label", pa.int8()),
        ("source", pa.string()),
        ("split", pa.string()),
    ]


def test_columns_of_a_banks_rejects() -> None:
    names = [name for name, _ in SCORES[:14] if name != "duplicate_of"]
    assert [field.name for field in schema.REJECTS] == names


def test_columns_of_a_banks_audit() -> None:
    assert [(field.name, field.type) for field in schema.AUDIT] == [
        ("image_id", pa.string()),
        ("uri", pa.string()),
        ("member", pa.string()),
        ("label", pa.int8()),
        ("source", pa.string()),
        ("reason", pa.string()),
        ("nearest_image_id", pa.string()),
        ("nearest_uri", pa.string()),
        ("nearest_label", pa.int8()),
        ("nearest_source", pa.string()),
        ("nearest_similarity", pa.float32()),
        ("nn_vote", pa.float32()),
        ("nn_margin", pa.float32()),
        ("nn_real_distance", pa.float32()),
        ("nn_fake_distance", pa.float32()),
    ]


def test_columns_of_an_evaluation() -> None:
    assert [(field.name, field.type) for field in schema.EVALUATED] == [
        ("image_id", pa.string()),
        ("uri", pa.string()),
        ("member", pa.string()),
        ("set", pa.string()),
        ("label", pa.int8()),
    ]
    assert [(field.name, field.type, field.nullable) for field in schema.METRICS] == [
        ("set", pa.string(), False),
        ("detector", pa.string(), False),
        ("metric", pa.string(), False),
        ("value", pa.float64(), False),
        ("low", pa.float64(), True),
        ("high", pa.float64(), True),
        ("n_real", pa.int64(), False),
        ("n_fake", pa.int64(), False),
    ]


@pytest.mark.parametrize(("dtype", "value"), [("float32", pa.float32()), ("float16", pa.float16())])
def test_columns_of_a_bank(dtype: str, value: pa.DataType) -> None:
    rows = schema.bank_row(768, dtype)
    assert [(field.name, field.type) for field in rows] == [
        ("image_id", pa.string()),
        ("uri", pa.string()),
        ("member", pa.string()),
        ("label", pa.int8()),
        ("source", pa.string()),
        ("split", pa.string()),
        ("view", pa.int16()),
        ("embedding", pa.list_(value, 768)),
    ]
    assert [f.name for f in rows if f.nullable] == ["member", "source"]


def test_values_of_a_label() -> None:
    assert (schema.REAL, schema.FAKE) == (0, 1)


def test_an_unknown_precision_is_no_bank() -> None:
    with pytest.raises(KeyError):
        schema.bank_row(3, "float64")
