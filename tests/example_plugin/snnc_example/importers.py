"""How to read the custom Keras layer ``Distance`` of the package ``example``, with its one weight."""

from collections.abc import Sequence

from snnc.api import Builder, Layer, importer
from snnc_example.ops import Distance


@importer("keras", "example>Distance", roles=["centre"])
def distance(layer: Layer, inputs: Sequence[str], build: Builder) -> str:
    """Import y = |x - centre|."""
    return build.add(Distance(centre=layer.weights["centre"]), *inputs)
