"""Which activation function a CLIP checkpoint was trained with.

OpenAI trained with QuickGELU, x·σ(1.702 x); others with GELU. The tensors fit either way and a
wrong choice only shows in the scores. open_clip marks it in the name of an architecture
(`-quickgelu`) and in the entry of a tag, and merely warns when the two disagree.
"""

from __future__ import annotations

from ufd_ray.errors import SettingsError

QUICKGELU = "-quickgelu"


def architecture_as_trained(name: str, tag: str) -> str:
    """The open_clip architecture whose activation function is the one that a tag was trained with.

    Args:
        name: an architecture that open_clip has.
        tag: one of its tags, or of its twin's with the other activation function.

    Returns:
        `name`, or its `-quickgelu` twin where a plain name meets a tag trained with QuickGELU.

    Raises:
        SettingsError: the name asks for QuickGELU, the tag was trained without.
    """
    import open_clip

    config = open_clip.get_model_config(name)
    trained = open_clip.get_pretrained_cfg(name.removesuffix(QUICKGELU), tag)
    if bool(config.get("quick_gelu")) == bool(trained.get("quick_gelu")):
        return name
    if trained.get("quick_gelu"):
        return name + QUICKGELU
    plain = name.removesuffix(QUICKGELU)
    remedy = f"ask for {plain}:{tag}" if plain != name else "choose another architecture"
    raise SettingsError(f"{name} has QuickGELU, and {tag!r} was trained without it; {remedy}")
