from snnc import neurons, ops
from snnc.passes.initial_voltage import InitialVoltage
from snnc.testing import apply, assert_same_outputs, chain


def fire(model):
    return chain(ops.Input(shape=(3,)), neurons.Neurons(model=model, scale=0.5))


def test_integrate_and_fire_neurons_start_half_way():
    before = fire(neurons.SoftResetIf(gamma=2))
    after = apply(InitialVoltage(), before)
    assert after["neurons"].op == neurons.Neurons(model=neurons.SoftResetIf(gamma=2, initial=0.5), scale=0.5)
    assert_same_outputs(before, after)


def test_neurons_that_start_at_random_voltages_are_left_alone():
    before = fire(neurons.SpikingRelu())
    assert apply(InitialVoltage(), before) == before
