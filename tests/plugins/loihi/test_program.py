import numpy as np
import pytest

pytest.importorskip("nengo_loihi")

import snnc
from snnc.api import LoweringError, Neurons, UsageError, ops
from tests.plugins.loihi.graphs import conv, dense, row
from tests.plugins.loihi.networks import IGNORED

pytestmark = pytest.mark.filterwarnings(*IGNORED)
STEPS = 30


def digits(shape, count=12, low=0.0):
    return np.random.default_rng(0).uniform(low, 1, (count, *shape)).astype(np.float32)


def relu():
    return ops.Relu()


def image_model(*head):
    flat = ops.Reshape(shape=(-1,))
    return row(
        (6, 6, 1), conv(3, 1, 4), relu(), conv(2, 4, 6), relu(), flat, dense(54, 12), relu(), dense(12, 3), *head
    )


def compiled(graph, low=0.0, **options):
    (name,) = graph.inputs
    x = digits(graph[name].type.shape, count=32, low=low)
    return snnc.compile(graph, backend="loihi", calibration=x, verify=False, **options), x


def populations(c):
    return [node.name for node in c.graph if isinstance(node.op, Neurons)]


def both(c, x, steps=STEPS):
    """Return what both engines record with every population watched."""
    watch = populations(c)
    return [
        c.program.using(engine).run({c.source.inputs[0]: x}, steps, watch=watch) for engine in ("replica", "emulator")
    ]


def assert_same(c, x):
    replica, emulator = both(c, x)
    for name in populations(c):
        np.testing.assert_array_equal(replica.totals[name], emulator.totals[name])
        np.testing.assert_allclose(replica.means[name], emulator.means[name], atol=1e-3)
        assert emulator.totals[name].any()
    for name, y in emulator.outputs.items():
        np.testing.assert_allclose(replica.outputs[name], y, atol=1e-4 * np.abs(y).max())


def test_replica_and_emulator_give_the_same_spikes_and_outputs():
    c, x = compiled(image_model())
    assert_same(c, x[:3])


def test_signed_inputs_and_a_softmax():
    c, x = compiled(image_model(ops.Softmax()), low=-1.0)
    assert_same(c, x[:2])
    assert c.predict(x[:4]).sum(axis=-1) == pytest.approx(1, abs=1e-5)


def test_outputs_come_close_to_the_models():
    c, x = compiled(image_model())
    wanted, got = c.source.evaluate(x)["y"], c.predict(x, 100)
    assert np.sqrt(np.mean((got - wanted) ** 2)) < 0.15 * np.sqrt(np.mean(wanted**2))


def test_every_sample_starts_afresh():
    c, x = compiled(image_model())
    for engine in ("replica", "emulator"):
        run = c.program.using(engine).run
        together, alone = run({"x": x[:3]}, 15).outputs["y"], run({"x": x[2:3]}, 15).outputs["y"]
        np.testing.assert_array_equal(together[2], alone[0])
    again = c.program.using("emulator").run({"x": x[:1]}, 15).outputs["y"]
    np.testing.assert_array_equal(again[0], together[0])


def test_the_first_layer_on_the_host():
    c, x = compiled(image_model(), low=-1.0, passes=["loihi-encode{how=first-layer}"])
    assert_same(c, x[:2])
    assert populations(c) == ["relu", "relu_1", "relu_2"]


def test_a_host_between_two_parts_of_the_chip():
    graph = row((8,), dense(8, 12), relu(), ops.Max(axes=(0,), keepdims=True), dense(1, 5), relu(), dense(5, 2))
    c, x = compiled(graph, passes=["loihi-place{islands=true}"])
    assert any("in the middle" in note for note in c.notes)
    assert_same(c, x[:2])


def test_biases_that_differ_by_position():
    shifted = ops.Affine(scale=np.ones(4, dtype=np.float32), shift=np.full(4, 0.3, dtype=np.float32))
    graph = row((6, 6, 1), conv(3, 1, 4), relu(), shifted, conv(3, 4, 4, padding="same"), relu(), ops.GlobalAvgPool())
    c, x = compiled(graph)
    assert "shift" in [node.op.kind for node in c.graph]
    assert_same(c, x[:2])


def test_a_convolution_that_gives_the_output_is_on_the_host():
    c, x = compiled(row((6, 6, 1), conv(3, 1, 4), relu(), conv(1, 4, 2)))
    assert_same(c, x[:2])


def test_what_a_core_is_not_is_refused_by_name():
    with pytest.raises(LoweringError, match=r"dt cannot be 0\.002; say --dt 0\.001"):
        compiled(image_model(), dt=0.002)
    with pytest.raises(LoweringError, match="takes spikes only"):
        compiled(image_model(), skip=["loihi-encode"])
    with pytest.raises(LoweringError, match="its scale is not in the weights"):
        compiled(image_model(), skip=["loihi-write-scales"])
    with pytest.raises(snnc.SnncError, match="no layer can be on the chip"):
        compiled(image_model(), neurons="soft-reset-if")


def test_the_chip_itself_needs_its_library():
    c, x = compiled(image_model())
    with pytest.raises(LoweringError, match="needs Intel's NxSDK, and there is none here; use the engine 'replica'"):
        c.evaluate(x[:2], np.zeros(2), engine="loihi")


def test_only_neurons_can_be_watched():
    c, x = compiled(image_model())
    with pytest.raises(UsageError, match="cannot watch"):
        c.program.run({"x": x[:1]}, 2, watch=["conv"])
    assert set(c.network_map) >= {"relu", "conv"}


def test_an_artifact_runs_as_what_was_compiled(tmp_path):
    c, x = compiled(image_model())
    c.save(tmp_path / "out")
    again = snnc.load(tmp_path / "out")
    np.testing.assert_array_equal(again.run(x[:2])["y"], c.run(x[:2])["y"])
    assert c.run(x[:2])["y"].shape[1] == 60


def test_without_samples_a_note_says_what_was_assumed():
    c = snnc.compile(image_model(), backend="loihi", verify=False)
    assert any("between 0 and 1" in note for note in c.notes)
    assert c.run(digits((6, 6, 1), 2), 10)["y"].shape == (2, 10, 3)
