from dataclasses import dataclass
from typing import Literal

import pytest

from snnc import neurons
from snnc.errors import PassSpecError
from snnc.passes import BUILTIN
from snnc.passes.base import PerLayer
from snnc.passes.scale_rates import ScaleRates
from snnc.passes.swap_activations import SwapActivations
from snnc.text_form import build, parse, write


@dataclass(frozen=True)
class Options:
    count: int = 1
    share: float | None = None
    on: bool = False
    kind: Literal["fast", "none"] = "fast"
    sizes: tuple[int, ...] = ()
    by_layer: PerLayer[float] = None


@pytest.mark.parametrize(
    ("text", "name", "options"),
    [
        ("a", "a", {}),
        (" a-b{} ", "a-b", {}),
        ("a{x=1 y=2}", "a", {"x": "1", "y": "2"}),
        ("a{x=1, y=b{z=3 w=c{v=4}}}", "a", {"x": "1", "y": "b{z=3 w=c{v=4}}"}),
        ('a{"x.a layer"="some words"}', "a", {"x.a layer": "some words"}),
        ("a{x.net/conv_1=2}", "a", {"x.net/conv_1": "2"}),
    ],
)
def test_parse(text, name, options):
    assert parse(text) == (name, options)


@pytest.mark.parametrize(
    "text", ["", "{}", "a{", "a}", "a{x}", "a{x=}", "a{=1}", "a{x=1 x=2}", 'a{x="1}', "a{x=b{}", "a b"]
)
def test_what_cannot_be_read_is_an_error(text):
    with pytest.raises(PassSpecError, match="cannot read"):
        parse(text)


def test_values_are_read_as_the_fields_say():
    text = "o{count=3 share=none on=true kind=none sizes=2:3 by_layer=1.5 by_layer.conv=2}"
    made = build(Options, "pass 'o'", parse(text)[1])
    assert made == Options(3, None, True, "none", (2, 3), {"*": 1.5, "conv": 2.0})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"count": "1.5"}, "option 'count' cannot be '1.5'; it takes a whole number"),
        ({"on": "yes"}, "takes true or false"),
        ({"kind": "slow"}, "takes fast or none"),
        ({"share": "nan"}, "cannot be 'nan'"),
        ({"speed": "1"}, "unknown option 'speed'"),
    ],
)
def test_a_value_of_the_wrong_kind_is_an_error(options, message):
    with pytest.raises(PassSpecError, match=message):
        build(Options, "pass 'o'", options)


@pytest.mark.parametrize(
    "step",
    [
        *(cls() for cls in BUILTIN),
        ScaleRates(scale={"*": 3.0, "a layer": 4.0, "net/conv": 5.5}),
        SwapActivations(neurons={"tanh": "none", "conv": "lif{tau_rc=0.05}"}),
    ],
    ids=lambda step: step.name,
)
def test_writing_and_reading_a_pass_are_inverse(step):
    name, options = parse(write(step.name, step.options()))
    assert name == step.name
    assert build(type(step), name, options) == step


def test_a_model_object_is_written_as_its_text():
    step = SwapActivations(neurons=neurons.Lif(tau_rc=0.05, tau_ref=0.001))
    assert write(step.name, step.options()) == "swap-activations{neurons=lif{tau_rc=0.05 tau_ref=0.001}}"
