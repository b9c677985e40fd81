"""docs/layers.md says what the registry and the passes do now."""

import runpy

import pytest

from tests.conftest import ROOT


@pytest.fixture(scope="module")
def script():
    return runpy.run_path(str(ROOT / "docs" / "generate_layers.py"))


def test_the_page_is_what_the_script_writes(script):
    old = (ROOT / "docs" / "layers.md").read_text()
    assert script["page"](old) == old, "it is stale: run python docs/generate_layers.py"


def test_every_importer_of_a_layer_has_a_summary_and_an_example(script):
    from snnc.frontend import importers

    for importer in importers():
        assert importer.summary, importer.class_name
        if not importer.class_name.startswith(("tf.", "ops.")):
            assert script["example"](importer, activation="relu") is not None, importer.class_name


def test_a_row_tells_what_spikes_what_is_linear_and_what_stays_on_the_host(script):
    rows = {
        line.split("|")[1].strip(" `"): line for line in script["generated"]().splitlines() if line.startswith("| `")
    }
    assert "| synapses |" in rows["Dense"]
    assert "| spikes |" in rows["ReLU"]
    assert "| spikes (max-pool) |" in rows["MaxPooling2D"]
    assert "| spikes |" in rows["tanh"]
    assert "| sigma-delta, signed-if | spikes |" in rows["gelu"]
    assert "| host (lstm) |" in rows["LSTM"]
    assert "| synapses |" in rows["Embedding"]
    assert "| spikes (einsum, softmax; einsum) |" in rows["MultiHeadAttention"]
    assert "not: a call with training=True" in rows["Dropout"]
    assert "| dense, reshape, einsum, softmax |" in rows["MultiHeadAttention"]
    assert "| nothing left |" in rows["Dropout"]
