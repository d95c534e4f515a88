"""What no vector figure may hold, whatever its names are."""

from __future__ import annotations

from xml.etree import ElementTree

_RUNS_OR_LEADS = ("script", "a", "foreignObject", "iframe", "style", "animate", "set")


def assert_harmless(svg: bytes) -> None:
    """It runs nothing, asks for nothing from elsewhere, and declares no entities."""
    assert b"<!DOCTYPE" not in svg
    assert b"<!ENTITY" not in svg
    assert b"<?xml-stylesheet" not in svg
    for element in ElementTree.fromstring(svg).iter():
        kind = element.tag.rpartition("}")[2]
        if kind == "style":  # one rule of the library's own
            assert element.text == "*{stroke-linejoin: round; stroke-linecap: butt}"
        else:
            assert kind not in _RUNS_OR_LEADS
        for attribute, value in element.attrib.items():
            name = attribute.rpartition("}")[2]
            assert not name.startswith("on")
            if name in ("href", "src"):
                assert value.startswith("data:image/png;base64," if kind == "image" else "#")
            assert value.count("url(") == value.count("url(#")
