import pytest

from snnc import neurons, ops
from snnc.errors import PassError
from snnc.passes.base import Context
from snnc.passes.pipeline import run
from snnc.passes.swap_activations import SwapActivations
from snnc.testing import apply, assert_same_outputs, chain, kinds
from tests.conftest import dense

MODELS = {model.kind: model for model in neurons.MODELS}


def network(rng):
    return chain(
        ops.Input(shape=(4,)),
        dense(rng, 4, 5),
        ops.Relu(),
        dense(rng, 5, 5),
        ops.Tanh(),
        dense(rng, 5, 3),
        ops.Softmax(),
        names=["x", "d1", "r1", "d2", "t2", "d3", "soft"],
    )


def model_of(graph, name):
    return graph[name].op.model.kind


def test_swaps_relu_takes_the_rate_neuron_of_its_name_and_leaves_the_rest_with_a_note(rng):
    before = network(rng)
    context = Context(neurons=MODELS)
    after, _ = run(before, [SwapActivations()], context)
    assert kinds(after) == ["input", "dense", "neurons", "dense", "neurons", "dense", "softmax"]
    assert (model_of(after, "r1"), model_of(after, "t2")) == ("spiking-relu", "tanh")
    assert str(after["r1"].type) == "spikes[5]"
    assert context.notes == ["1 of 3 activations stay on the host, without neurons: soft (softmax)"]
    assert_same_outputs(before, after)


def test_choices_by_layer_by_activation_and_none(rng):
    after = apply(SwapActivations(neurons={"r1": "lif{tau_rc=0.05}", "tanh": "none"}), network(rng))
    assert after["r1"].op.model == neurons.Lif(tau_rc=0.05)
    assert after["t2"].op == ops.Tanh()


def test_a_model_may_be_given_as_an_object(rng):
    assert model_of(apply(SwapActivations(neurons=neurons.ReluRate()), network(rng)), "r1") == "relu"


def test_a_curve_that_ends_gets_the_scale_at_which_it_stands_for_the_activation(rng):
    before = network(rng)
    after = apply(SwapActivations(neurons={"t2": "regular{base=tanh max_rate=250}"}), before)
    assert after["t2"].op.model == neurons.Regular(base="tanh", max_rate=250.0)
    assert after["t2"].op.scale == 1 / 250
    assert_same_outputs(before, after)


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ({"r9": "relu"}, "unknown layer 'r9'.*known: .*r1.*relu.*softmax"),
        ("spikey-relu", "unknown neuron 'spikey-relu' .*did you mean 'spiking-relu'"),
        ({"t2": "spiking-relu"}, "'spiking-relu' cannot stand for the activation tanh of layer 't2'; possible: tanh"),
        ({"soft": "relu"}, "cannot stand for the activation softmax.*no neuron can"),
        ("lif{tau=3}", "unknown option 'tau'.*known: tau_rc, tau_ref"),
        ("lif{tau_rc=fast}", "'tau_rc' cannot be 'fast'; it takes a number"),
    ],
)
def test_a_wrong_choice_says_what_is_possible(rng, choice, message):
    with pytest.raises(PassError, match=message):
        apply(SwapActivations(neurons=choice), network(rng))


def test_what_neurons_wrap_is_not_said_to_stay_on_the_host(rng):
    graph = chain(ops.Input(shape=(3,)), dense(rng, 3, 4), ops.Softmax(), dense(rng, 4, 2), ops.Relu())
    told = {}
    for chosen in ("sigma-delta", "spiking-relu"):
        told[chosen] = []
        apply(SwapActivations(neurons=chosen), graph, notes=told[chosen])
    assert told["sigma-delta"] == []
    assert told["spiking-relu"] == ["1 of 2 activations stay on the host, without neurons: softmax (softmax)"]
