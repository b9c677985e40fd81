import numpy as np
import pytest
from snnc_loihi.models import LoihiEncoder, LoihiSignedIf
from snnc_loihi.passes.encode import Encode

from snnc.api import Neurons, PassError, neurons, ops
from snnc.testing import apply, assert_same_outputs, kinds
from tests.plugins.loihi.graphs import chip, conv, dense, row


def samples(graph, low=0.0, high=1.0):
    shape = graph["x"].type.shape
    return {"x": np.random.default_rng(0).uniform(low, high, (16, *shape)).astype(np.float32)}


def encoded(graph, step=None, **between):
    given = samples(graph, **between)
    after = apply(step or Encode(), graph, samples=given)
    if step is None or step.how != "first-layer":
        assert_same_outputs(graph, after, given)
    return after


def encoders(graph):
    return [n.name for n in graph if isinstance(n.op, Neurons) and isinstance(n.op.model, LoihiEncoder)]


def test_inputs_that_are_never_negative_get_a_neuron_a_value():
    after = encoded(row((6, 6, 1), conv(3, 1, 4), chip()), high=2.0)
    assert encoders(after) == ["x.spikes"]
    assert after.sources("conv") == ("x.spikes",)
    assert after["x.spikes"].op.scale == pytest.approx(0.002, rel=0.01)  # 1000 Hz at the largest value


def test_signed_inputs_get_two():
    after = encoded(row((5,), dense(5, 4), chip()), low=-3.0, high=1.0)
    assert encoders(after) == ["x.spikes", "x.off"]


def test_two_may_be_asked_for():
    assert len(encoders(encoded(row((5,), dense(5, 4), chip()), Encode(how="onoff")))) == 2


def test_spikes_of_the_model_before_the_chip_are_rates_there():
    spikes = Neurons(model=neurons.Regular(base="tanh", max_rate=1.0))
    after = encoded(row((5,), dense(5, 4), spikes, dense(4, 3), chip()), low=-1.0)
    assert after["a"].op.model == neurons.TanhRate(max_rate=1.0)
    assert encoders(after) == ["a.spikes", "a.off"]


def test_without_samples_sequences_are_between_0_and_1_too():
    graph = row((5,), dense(5, 4), chip(), dt=0.001)
    after = apply(Encode(), graph)
    assert after["x.spikes"].op.scale == pytest.approx(0.001)


def test_a_rate_cannot_be_negative():
    with pytest.raises(PassError, match="cannot be negative"):
        encoded(row((5,), dense(5, 4), chip()), Encode(how="pixel"), low=-1.0)


def test_the_first_layer_may_be_the_encoder():
    graph = row((6, 6, 1), conv(3, 1, 4), chip(), conv(3, 4, 4), chip())
    after = encoded(graph, Encode(how="first-layer"), low=-1.0)
    assert encoders(after) == ["a"] and kinds(after) == kinds(graph)
    assert isinstance(after["b"].op.model, LoihiSignedIf)


def test_what_a_host_op_gives_is_encoded_behind_it():
    graph = row((5,), ops.Tanh(), dense(5, 4), chip(), dense(4, 2), ops.Softmax())
    assert encoders(encoded(graph)) == ["tanh.spikes"]


def test_without_samples_the_range_is_taken_to_be_0_to_1():
    after = apply(Encode(), row((5,), dense(5, 4), chip()))
    assert after["x.spikes"].op.scale == pytest.approx(0.001)


def test_a_graph_with_nothing_on_the_chip_stays():
    graph = row((5,), dense(5, 4), ops.Relu())
    assert apply(Encode(), graph) == graph
