"""How to read the custom Keras layers of the package ``example``."""

from collections.abc import Sequence

from snnc.api import Builder, Layer, importer
from snnc_example.ops import Distance, Snake


@importer("keras", "example>Distance", roles=["centre"])
def distance(layer: Layer, inputs: Sequence[str], build: Builder) -> str:
    """Import y = |x - centre|."""
    return build.add(Distance(centre=layer.weights["centre"]), *inputs)


@importer("keras", "example>Snake", slicewise=True)
def snake(layer: Layer, inputs: Sequence[str], build: Builder) -> str:
    """Import y = x + sin(a * x)^2 / a."""
    return build.add(Snake(frequency=layer.config["frequency"]), *inputs)
