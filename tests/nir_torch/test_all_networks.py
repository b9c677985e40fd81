"""Every shape of network and every kind of neuron that a NIR file can hold, in the libraries and in numpy."""

import warnings

import numpy as np
import pytest

import snnc
from tests.nir_torch.exported import after_ties, populations, spikes, to_nir
from tests.nir_torch.test_loaders import LOADERS
from tests.plugins.nir.files import affine, binary, chain, fires, node
from tests.plugins.nir.networks import networks
from tests.plugins.nir.test_write import MODELS

torch = pytest.importorskip("torch")
STEPS = 10


@pytest.fixture(params=LOADERS)
def load(request):
    pytest.importorskip(request.param)
    return LOADERS[request.param]


def drawn(c, batch=6):
    rng = np.random.default_rng(1)
    return {name: rng.uniform(size=(batch, *c.source[name].type.shape)).astype(np.float32) for name in c.source.inputs}


@pytest.mark.parametrize("name", networks())
def test_only_ties_differ(load, name, tmp_path):
    c = snnc.compile(networks()[name], neurons="soft-reset-if{initial=0.5}", scale=250, verify=False)
    x = drawn(c)
    net = load(to_nir(c, tmp_path / "net.nir", STEPS))
    same = ~after_ties(c, x, net.record(x))
    assert same.sum() >= 3
    wanted, got = c.run(x, STEPS), net.run(x)
    assert wanted.keys() == got.keys()
    for output, y in wanted.items():
        np.testing.assert_allclose(got[output][same], y[same], rtol=1e-4, atol=1e-4 * np.abs(y).max())


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("name", ["chain", "residual", "conv1d", "of_vectors", "several_ends"])
def test_every_kind_of_neurons_runs(load, name, model, tmp_path):
    c = snnc.compile(networks()[name], verify=False, **MODELS[model])
    x = drawn(c)
    net = load(to_nir(c, tmp_path / "net.nir", STEPS))
    wanted, got = spikes(c, x, STEPS), net.record(x)
    assert set(got) == set(populations(c))
    for layer, y in wanted.items():
        assert (np.abs(y.sum(axis=1) - got[layer].sum(axis=1)) > 1e-3).mean() < 0.01


def test_neurons_of_the_specification_run_by_their_own_rule(load, tmp_path):
    rng, ones = np.random.default_rng(0), np.ones(6)
    how = {"r": 2 * ones, "v_leak": 0 * ones, "v_threshold": ones, "v_reset": 0 * ones}
    file = chain(
        (4,),
        affine(binary(rng, 6, 4)),
        fires(6, v_reset=np.zeros(6)),
        affine(4 * binary(rng, 6, 6)),
        node("CubaLIF", tau_syn=5e-4 * ones, tau_mem=1e-3 * ones, w_in=ones, **how),
        affine(binary(rng, 3, 6)),
        out=(3,),
    )
    (tmp_path / "other.nir").write_bytes(file.to_bytes())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        c = snnc.compile(tmp_path / "other.nir", verify=False)
    x = drawn(c)
    net = load(to_nir(c, tmp_path / "net.nir", 40))
    wanted, got = spikes(c, x, 40), net.record(x)
    assert all(y.sum() > 20 for y in wanted.values())
    for layer, y in wanted.items():
        assert (np.round(y).sum(axis=1) != got[layer].sum(axis=1)).mean() < 0.05
