"""What the chip cannot do is refused before anything is measured, and what the error says helps."""

from dataclasses import dataclass

import numpy as np
import pytest

pytest.importorskip("nengo_loihi")

from snnc_loihi.layer_costs import Limits
from snnc_loihi.passes.calibrate import Calibrate
from snnc_loihi.passes.set_rates import SetRates

import snnc
from snnc.api import Graph, SnncError, Synapse, neurons, ops
from tests.plugins.loihi.graphs import conv, dense, row
from tests.plugins.loihi.networks import IGNORED
from tests.plugins.loihi.test_layers import joined

pytestmark = pytest.mark.filterwarnings(*IGNORED)

RELU, SWISH, FLAT = ops.Relu(), ops.Swish(), ops.Reshape(shape=(-1,))


def images(*steps, size, activation=RELU):
    return row((8, 8, 1), conv(3, 1, 4), activation, *steps, FLAT, dense(size, 12), activation, dense(12, 3))


def pooled(padding="same"):
    pool = ops.MaxPool(size=(3, 3), strides=(2, 2), padding=padding)
    return row((8, 8, 1), conv(1, 1, 4), pool, RELU, FLAT, dense(64 if padding == "same" else 36, 3))


def unlike(join):
    """Return a network with something in the middle that no core can do."""
    return joined(join, (conv(3, 4, 8),))


PLAIN = images(size=144)


@dataclass
class Case:
    """A graph with options that are refused, what the error says, and those that are said to help."""

    graph: Graph
    refused: dict
    error: str
    helps: tuple[dict, ...]
    low: float = 0.0
    limits: tuple[int, ...] = (1024, 4096, 4096, 1 << 20)


def passes(*names):
    return {"passes": names}


CASES = {
    "dt": Case(PLAIN, {"dt": 0.002}, "dt cannot be 0.002; say --dt 0.001$", ({"dt": 0.001},)),
    "neurons": Case(
        PLAIN,
        {"neurons": "soft-reset-if"},
        "on the chip: a core cannot be soft-reset-if neurons; leave --neurons",
        ({},),
    ),
    "no fit": Case(
        images(size=144, activation=SWISH),
        {"skip": ("fit-activations",)},
        "swish is no ReLU; let the pass fit-activations run",
        ({},),
    ),
    "no neurons": Case(
        row((6,), dense(6, 3)),
        {},
        "no layer in it has neurons; compile for another backend, such as nengo",
        ({"backend": "nengo"},),
    ),
    "filter": Case(
        PLAIN,
        {"synapse": 0.002},
        "layer 'relu_1' reads through a filter, .*; leave --synapse out, or use --neurons loihi-signed-if",
        ({}, {"synapse": 0.002, "neurons": "loihi-signed-if"}),
    ),
    "other filter": Case(
        PLAIN,
        {"synapse": "alpha{tau=0.002}", "neurons": "loihi-signed-if"},
        "low-pass only; use --synapse SECONDS",
        ({"synapse": 0.002, "neurons": "loihi-signed-if"},),
    ),
    "second filter": Case(
        images(Synapse(model=neurons.Lowpass(tau=0.01)), size=144),
        {"synapse": 0.002, "neurons": "loihi-signed-if"},
        "'synapse' is a second filter between two layers, .*leave --synapse out .*another backend, such as nengo",
        ({"neurons": "loihi-signed-if"}, {"backend": "nengo", "synapse": 0.002}),
    ),
    "no encoder": Case(
        PLAIN, {"skip": ("loihi-encode",)}, "takes spikes only; let the passes loihi-encode and loihi-merge", ({},)
    ),
    "not merged": Case(
        images(ops.AvgPool(size=(2, 2), strides=(2, 2)), size=36),
        {"skip": ("loihi-merge-linear",)},
        "takes spikes only; let the passes loihi-encode and loihi-merge-linear run",
        ({},),
    ),
    "scales": Case(PLAIN, {"skip": ("loihi-write-scales",)}, "let the pass loihi-write-scales run", ({},)),
    "negative inputs": Case(
        PLAIN,
        passes("loihi-encode{how=pixel}"),
        r"'x' goes down to -.*use loihi-encode\{how=onoff\} or \{how=first-layer\}",
        (passes("loihi-encode{how=onoff}"), passes("loihi-encode{how=first-layer}")),
        low=-1.0,
    ),
    "padded pool": Case(
        pooled(),
        {},
        r"use padding='valid' in the model, or loihi-max-pool\{form=host\} or \{form=average\}",
        (passes("loihi-max-pool{form=host}"), passes("loihi-max-pool{form=average}")),
    ),
    "product": Case(
        unlike(ops.Multiply()),
        passes("loihi-place{least=0.9}"),
        r"join \(multiply\): .*another backend, such as nengo, or use loihi-place\{islands=true\}; "
        r"fit-activations\{squares=true\} writes",
        ({"backend": "nengo"}, passes("loihi-place{islands=true}"), passes("fit-activations{squares=true}")),
    ),
    "maximum": Case(
        unlike(ops.Maximum()),
        passes("loihi-place{least=0.9}"),
        r"join \(maximum\): .*another backend, such as nengo, or use loihi-place\{islands=true\}$",
        ({"backend": "nengo"}, passes("loihi-place{islands=true}")),
    ),
    "chips": Case(
        row((8, 8, 1), conv(3, 1, 4, padding="same"), RELU, FLAT, dense(256, 3)),
        {"backend": "loihi{chips=1}"},
        r"needs 257 cores, 129 more than 1 chip\(s\) have; use --backend 'loihi\{chips=3\}', or make its layers "
        r"smaller, of which 'relu' takes most \(256 cores\)",
        ({"backend": "loihi{chips=3}"}, {}),
        limits=(1, 4096, 4096, 1 << 20),
    ),
}


def compiled(case, **options):
    (name,) = case.graph.inputs
    x = np.random.default_rng(0).uniform(case.low, 1, (24, *case.graph[name].type.shape)).astype(np.float32)
    return snnc.compile(case.graph, calibration=x, verify=False, **{"backend": "loihi", "steps": 4, **options})


@pytest.fixture
def chip_of(monkeypatch):
    def small(limits):
        monkeypatch.setattr(Limits, "of_loihi", classmethod(lambda cls: Limits(*limits)))

    return small


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_it_is_refused_before_anything_is_measured(case, chip_of, monkeypatch):
    chip_of(case.limits)
    monkeypatch.setattr(SetRates, "apply", None)
    monkeypatch.setattr(Calibrate, "apply", None)
    with pytest.raises(SnncError, match=case.error) as caught:
        compiled(case, **case.refused)
    assert "\n" not in str(caught.value) and "(after" not in str(caught.value)


REMEDIES = [(name, helps) for name, case in CASES.items() for helps in case.helps]


@pytest.mark.parametrize(("name", "helps"), REMEDIES, ids=[f"{name} {helps}" for name, helps in REMEDIES])
def test_what_the_error_says_helps(name, helps, chip_of):
    chip_of(CASES[name].limits)
    c = compiled(CASES[name], **helps)
    assert c.program.network is not None


def test_calibration_helps_where_the_error_says_so():
    graph = images(size=144, activation=SWISH)
    with pytest.raises(SnncError, match="activations are no ReLU; with --calibration SAMPLES, swish becomes a sum of"):
        snnc.compile(graph, backend="loihi", verify=False)
    assert compiled(Case(graph, {}, "", ())).program.resources["cores"] > 1


def test_a_model_without_the_padding_that_is_in_the_way_compiles():
    assert compiled(Case(pooled("valid"), {}, "", ())).program.resources["cores"] > 1


@pytest.mark.parametrize("size", [4094, 4095, 4096, 4097])
def test_a_dense_layer_as_wide_as_a_core_fits(size):
    graph = row((size,), dense(size, 3), RELU, dense(3, 2))
    assert compiled(Case(graph, {}, "", ())).program.resources["cores"] >= 1
