"""Configurations of layers: from the entries of a file to layers."""

from collections.abc import Mapping, Sequence

from handloom.errors import ModelError, checked_classes, unknown_name
from handloom.layers import LAYERS, Layer


def layers_from_config(
    entries: Sequence[object], custom: Mapping[str, type[Layer]] | None = None
) -> list[Layer]:
    """Make layers from their configurations, as `handloom.layers.chain.Chain.config` returned them.

    Parameters
    ----------
    entries : sequence of mapping
        The kind of each layer, and the arguments of its constructor.
    custom : mapping of str to Layer class, optional
        Custom layers by kind, in addition to `handloom.layers.LAYERS`.

    Raises
    ------
    ModelError
        If a kind or an option is unknown, a custom layer has the kind of another one, or is listed
        under another kind than its own.
    ConfigurationError
        If an option is invalid, or ``custom`` is no mapping.
    """
    custom = checked_classes("layers", custom)
    known = {**LAYERS, **custom}
    for kind, own in custom.items():
        if own is not LAYERS.get(kind, own):
            raise ModelError(
                f"layers must hold custom layers by kinds of their own, got {kind!r}, which is "
                f"that of {LAYERS[kind].__name__}"
            )
        if (own_kind := getattr(own, "kind", None)) != kind:
            raise ModelError(
                f"layers must hold custom layers by their own kinds, got {own.__name__}, whose "
                f"kind is {own_kind!r}, by {kind!r}: pass the class that was saved, or set kind = "
                f"{kind!r} in it"
            )

    def make(entry: object) -> Layer:
        if not isinstance(entry, Mapping):
            raise ModelError(f"a layer must be described by an object, got {entry!r}")
        options = dict(entry)
        kind = str(options.pop("kind", None))
        if kind not in known:
            raise ModelError(
                f"{unknown_name('layer', kind, known)}; a custom layer is loaded with "
                f"layers={{{kind!r}: its class}}"
            )
        trainable = options.pop("trainable", True)
        if not isinstance(trainable, bool):
            raise ModelError(f"layer {kind!r}: trainable must be true or false, got {trainable!r}")
        try:
            layer = known[kind].from_config(options, make)
        except TypeError as error:
            raise ModelError(f"layer {kind!r}: {error}") from None
        return layer if trainable else layer.freeze()

    return [make(entry) for entry in entries]
