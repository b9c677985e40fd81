"""Files in snnTorch, Sinabs and Norse against numpy, spike for spike. Weights in binary make all sums exact."""

import os

import numpy as np
import pytest

torch = pytest.importorskip("torch")


from snnc import nir  # noqa: E402
from tests.nir_torch.exported import (  # noqa: E402
    NETWORKS,
    Weights,
    compiled,
    inputs,
    populations,
    spikes,
    to_nir,
)

LOADERS = {
    name: load
    for name, load in (("snntorch", nir.load_snntorch), ("sinabs", nir.load_sinabs), ("norse", nir.load_norse))
    if name in os.environ.get("SNNC_NIR_READERS", "snntorch,sinabs,norse").split(",")
}
STOCK = {"snntorch": "Leaky", "sinabs": "IAFSqueeze", "norse": "LIFBoxCell"}
VALUES = {"rtol": 1e-5, "atol": 1e-5}
"""Read-outs are means in another order."""


@pytest.fixture(params=LOADERS)
def library(request):
    pytest.importorskip(request.param)
    return request.param


def loaded(library, c, path, steps=8, **options):
    return LOADERS[library](to_nir(c, path / "net.nir", steps), **options)


def names_of_modules(net):
    return {type(module).__name__ for module in net.layers.values()}


@pytest.mark.parametrize("name", NETWORKS)
def test_spikes_in_every_step_are_the_same(library, name, tmp_path):
    c = compiled(NETWORKS[name](Weights(binary=True)), "soft-reset-if{initial=0.5}")
    x = inputs(c.source)
    net = loaded(library, c, tmp_path)
    wanted, got = spikes(c, x, 8), net.record(x)
    assert set(got) == set(populations(c))
    for layer in wanted:
        assert 0 < wanted[layer].mean() < 1
        np.testing.assert_array_equal(got[layer], wanted[layer])
    assert STOCK[library] in names_of_modules(net)
    assert "Rule" not in names_of_modules(net)
