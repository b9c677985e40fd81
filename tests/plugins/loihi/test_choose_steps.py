from snnc_loihi.models import LoihiSoftIf
from snnc_loihi.passes.choose_steps import ChooseSteps, depth

from snnc.api import Context, MeanReadOut, Neurons, ops
from tests.plugins.loihi.graphs import encoder, row


def chain(layers):
    graph = row((4,), encoder())
    for layer in range(layers):
        graph.add(f"soft{layer}", Neurons(model=LoihiSoftIf()), [graph.output_nodes["y"]])
        graph.set_outputs({"y": f"soft{layer}"})
    return graph


def chosen(layers, **told):
    graph, context = chain(layers), Context(backend="loihi", read_out=MeanReadOut(start=0.35), **told)
    before = graph.copy()
    ChooseSteps().apply(graph, context)
    assert graph == before
    return context


def test_a_shallow_network_keeps_the_usual_steps():
    context = chosen(5, steps=60)
    assert not context.choices
    assert not context.notes


def test_a_deep_one_gets_so_many_that_the_read_out_begins_behind_the_first_spikes():
    context = chosen(6, steps=20)
    assert context.choices == {"steps": 30}
    assert context.notes == ["30 steps: spikes take 8 of them to come through all layers of the chip"]
    assert context.read_out.window(30).start >= 8
    assert context.read_out.window(20).start < 8


def test_steps_that_the_user_chose_stay_with_a_note():
    context = chosen(6, steps=20, steps_asked=20)
    assert not context.choices
    (note,) = context.notes
    assert "mean from step 8 on; show samples for 30 steps" in note


def test_a_read_out_of_all_steps_needs_the_usual_number_behind_the_first_spikes():
    graph, context = chain(3), Context(backend="loihi", steps=60, read_out=MeanReadOut(start=0.0))
    ChooseSteps().apply(graph, context)
    assert context.choices == {"steps": 70}


def test_the_longest_way_counts():
    graph = chain(3)
    graph.add("sum", ops.Add(), ["soft2", "soft0"])
    graph.set_outputs({"y": "sum"})
    assert depth(graph) == 3
