"""Locally connected layers of Keras 2, in all layouts of their weights."""

from __future__ import annotations

import numpy as np
import pytest

from tests.frontend.against_keras import keras_2, largest_error, normal_inputs, outputs_of, randomise
from tests.frontend.loading import import_model

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore:You are saving:UserWarning")


@pytest.mark.parametrize("implementation", [1, 2, 3])
@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize("rank", [1, 2])
@pytest.mark.parametrize("padding", ["valid", "same"])
def test_locally_connected_layers(rng, tmp_path, implementation, data_format, rank, padding):
    if padding == "same" and implementation == 1:
        pytest.skip("Keras has no such layer")
    keras = keras_2()
    space = (7, 6)[:rank]
    source = keras.Input((*space, 3) if data_format == "channels_last" else (3, *space))
    fields = {"strides": 2, "use_bias": padding == "valid", "activation": "relu" if rank == 1 else None}
    layer = getattr(keras.layers, f"LocallyConnected{rank}D")(
        2, 3, implementation=implementation, data_format=data_format, padding=padding, **fields
    )
    model = keras.Model(source, layer(source))
    randomise(model, rng)
    xs = normal_inputs(model, rng)
    want = outputs_of(model, xs)
    for file in ("m.h5", "m.keras"):
        model.save(tmp_path / file)
    for given in (model, tmp_path / "m.h5", tmp_path / "m.keras"):
        assert largest_error(import_model(given), xs, want) < 1e-5
    assert np.abs(want[0]).max() > 0
