"""Layers that do nothing at inference: noise, regularisation, augmentation."""

from __future__ import annotations

from collections.abc import Sequence

from snnc import ops
from snnc.frontend.base import Builder, Layer, importer
from snnc.frontend.keras_layers.norm import TRAINING, inference_only

_NOISE = (
    "Dropout",
    "SpatialDropout1D",
    "SpatialDropout2D",
    "SpatialDropout3D",
    "AlphaDropout",
    "GaussianDropout",
    "GaussianNoise",
    "ActivityRegularization",
    "Identity",
)
_AUGMENTATION = (
    "RandomFlip",
    "RandomRotation",
    "RandomZoom",
    "RandomTranslation",
    "RandomContrast",
    "RandomBrightness",
    "RandomSharpness",
    "RandomShear",
    "RandomPerspective",
    "RandomColorJitter",
    "RandomColorDegeneration",
    "RandomGrayscale",
    "RandomHue",
    "RandomSaturation",
    "RandomPosterization",
    "RandomInvert",
    "RandomErasing",
    "RandomGaussianBlur",
    "RandomElasticTransform",
    "RandomHeight",
    "RandomWidth",
    "RandAugment",
    "AugMix",
    "MixUp",
    "CutMix",
)


def _noise(layer: Layer, inputs: Sequence[str], builder: Builder) -> str:
    """Do nothing at inference."""
    inference_only(layer)
    return builder.add(ops.Identity(), inputs[0])


def _augmentation(layer: Layer, inputs: Sequence[str], builder: Builder) -> str:
    """Do nothing at inference."""
    # Keras 3 notes training=True for these even where nobody asked, and predict() turns it off
    return builder.add(ops.Identity(), inputs[0])


ALIKE = [
    *(importer("keras", name, masking=True, slicewise=True, limits=TRAINING)(_noise) for name in _NOISE),
    *(importer("keras", name, slicewise=True)(_augmentation) for name in _AUGMENTATION),
]
"""Left out by a pass; until then they show that the layer was there."""
