"""What each pass made of the graph, as a folder of text files."""

import os
import shlex
import subprocess
import sys
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

import snnc
from snnc import cli, ops
from snnc.api import hookimpl
from snnc.errors import FileError, PassError
from snnc.passes.base import Context, Pass, Stage
from snnc.passes.pipeline import run
from snnc.registry import Registry
from snnc.reproducer import read
from snnc.rewriting import passes_of, rewrite
from snnc.testing import apply, chain
from tests.conftest import dense

NAMES = ["x", "d", "relu", "out"]


@pytest.fixture
def graph(rng):
    return chain(ops.Input(shape=(3,)), dense(rng, 3, 4), ops.Relu(), dense(rng, 4, 2), names=NAMES)


def compiled(graph, folder, *passes, **options):
    chosen = {"scale": 1000, "synapse": 0.005, "verify": False, **options}
    return snnc.compile(graph, passes=passes, dump=folder, **chosen)


def test_there_is_a_file_for_each_pass_that_changed_something_numbered_as_in_the_journal(graph, tmp_path):
    c = compiled(graph, tmp_path / "d")
    changed = {f"{i:02}-{e.name.partition('{')[0]}.txt": e.name for i, e in enumerate(c.journal, 1) if e.changed}
    assert len(changed) >= 3
    last = f"{len(c.journal) + 1:02}-final.txt"
    assert sorted(os.listdir(tmp_path / "d")) == ["00-imported.txt", *changed, last, "dump.json"]
    for file, name in changed.items():
        first, said, *_ = (tmp_path / "d" / file).read_text().splitlines()
        assert first == name
        assert said.startswith("stage ")
    assert (tmp_path / "d" / "00-imported.txt").read_text() == f"the graph as imported\n{graph}\n"
    assert (tmp_path / "d" / last).read_text().endswith(f"\n{c.graph}\n")
    (synapses,) = (file for file in changed if "insert-synapses" in file)
    assert (tmp_path / "d" / synapses).read_text().startswith("insert-synapses{synapse=0.005}\n")


def test_the_same_compilation_gives_the_same_dump_and_replaces_the_one_before(graph, tmp_path):
    dumps = []
    for _ in range(2):
        compiled(graph, tmp_path / "d")
        dumps.append({path.name: path.read_bytes() for path in (tmp_path / "d").iterdir()})
    assert dumps[0] == dumps[1]
    snnc.compile(graph, level=0, verify=False, dump=tmp_path / "d")
    assert set(os.listdir(tmp_path / "d")) != set(dumps[0])
    (tmp_path / "d" / "thesis.tex").write_text("x")
    with pytest.raises(FileError, match=r"holds 'thesis.tex'"):
        compiled(graph, tmp_path / "d")


def step(label, change, at=Stage.SPIKE, **attributes):
    """Return the class of a pass."""

    @dataclass(frozen=True)
    class Step(Pass):
        name, stage = label, at
        strength: float = 1.0
        more: Any = field(default=None)

        def apply(self, graph, context):
            change(self, graph, context)

    for key, value in attributes.items():
        setattr(Step, key, value)
    return Step


def registry(*classes):
    class Plugin:
        @hookimpl
        def snnc_register_passes(self):
            return list(classes)

    return Registry.discover([("mine", Plugin())] if classes else [])


def louder(self, graph, context):
    op = graph["d"].op
    graph.replace("d", ops.Dense(weight=op.weight * 1000, bias=op.bias))


def test_a_pass_that_was_taken_back_is_said_to_be_and_the_graph_that_it_made_is_shown(graph, tmp_path):
    Louder = step("louder", louder, Stage.CALIBRATE, measured=True, needs_calibration=True)
    c = compiled(graph, tmp_path / "d", "louder", registry=registry(Louder), level=1)
    (entry,) = (entry for entry in c.journal if entry.name.startswith("louder"))
    assert not entry.kept
    (file,) = (path for path in (tmp_path / "d").iterdir() if "louder" in path.name)
    text = file.read_text()
    assert "so it was taken back: the passes below do not see this graph" in text.splitlines()[1]
    assert "louder <- " in text
    assert "louder" not in (tmp_path / "d" / f"{len(c.journal) + 1:02}-final.txt").read_text()


def test_names_of_passes_are_no_paths_and_names_of_nodes_no_commands(tmp_path):
    weird = chain(ops.Input(shape=(3,)), ops.Relu(), names=["<script>" + "x" * 200, "r"])
    weird.set_outputs({"o\x1b[2J\nut": "r"})
    name = "../../e\x00vil/" + "y" * 300
    change = step(name, lambda self, g, c: g.insert_after("r", "s", ops.Tanh()))
    snnc.compile(weird, level=0, verify=False, dump=tmp_path / "d", passes=[change()], build=False)
    (file,) = (path for path in (tmp_path / "d").iterdir() if "vil" in path.name)
    assert len(file.name) < 100
    assert all(c.isprintable() or c == "\n" for path in (tmp_path / "d").iterdir() for c in path.read_text())


def test_passes_that_run_passes_of_their_own_and_verification_write_nothing_else(graph, tmp_path):
    def nested(self, graph, context):
        run(graph, passes_of(["split-activations"], registry()), Context())

    c = snnc.compile(graph, scale=100, dump=tmp_path / "d", passes=[step("nested", nested)()])
    assert c.report is not None
    files = {path.name.partition("-")[2] for path in (tmp_path / "d").iterdir()}
    assert files == {"", "imported.txt", "swap-activations.txt", "scale-rates.txt", "final.txt"}


def test_what_ran_is_there_however_a_compilation_ends(graph, tmp_path):
    def interrupted(self, graph, context):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        compiled(graph, tmp_path / "d", step("interrupted", interrupted, Stage.TARGET)())
    files = os.listdir(tmp_path / "d")
    assert any("insert-synapses" in name for name in files)
    assert not any("final" in name for name in files)


# ------------------------------------------------------------------ reproducers


def fails_again(folder, error, known):
    """Assert that what was kept fails again in the same way, with what the command says."""
    command = (folder / "reproducer" / "command.txt").read_text().strip()
    assert str(error.value).endswith(f"; it fails again with: {command}")
    kept = read(folder / "reproducer", known)
    *_, spec = shlex.split(command)
    with pytest.raises(PassError) as again:
        rewrite(kept.graph, passes_of([spec], known), kept.context, known, kept.shown, finished=kept.finished)
    reason = str(error.value).partition("): ")[2].partition("; it fails again")[0]
    assert str(again.value).partition("): ")[2] == reason
    return kept


def breaks(self, graph, context):
    raise RuntimeError(f"{self.strength} {sorted(graph[n.name].op.kind for n in graph)} {context.steps}")


def test_a_pass_that_raises_fails_again_with_the_options_and_the_graph_that_it_had(graph, tmp_path):
    known = registry(step("breaks", breaks))
    with pytest.raises(PassError, match="RuntimeError: 2.5 .*; it fails again with: snnc opt ") as error:
        compiled(graph, tmp_path / "d", "breaks{strength=2.5}", registry=known, steps=7)
    fails_again(tmp_path / "d", error, known)
    trace = (tmp_path / "d" / "reproducer" / "error.txt").read_text()
    assert trace.startswith("Traceback ")
    assert "in breaks" in trace
    with pytest.raises(PassError, match=r"; dump=DIR \(--dump DIR\) keeps what makes it fail again$"):
        compiled(graph, None, "breaks", registry=known)
    with pytest.raises(PassError, match=r"known: [^;]*$"):
        compiled(graph, None, "scale-rates{scale.nowhere=1}", scale=None)


def sees(self, graph, context):
    said = [float(x.sum()) for x in (*context.samples.values(), *context.held_back.values())]
    said += [context.seed, context.dt, context.steps_asked, context.made, context.backend, context.read_out]
    said += [context.tasks, {k: float(v.mean.sum()) for k, v in context.known.items()}, context.choices]
    said += [str(context.model), float(apply(passes_of(["drop-identities"], registry())[0], graph)["d"].op.bias.sum())]
    raise ValueError(" ".join(map(str, said)))


def test_a_pass_that_measures_is_given_the_same_samples_model_tasks_and_choices_again(rng, tmp_path):
    norm = ops.BatchNorm(**{k: np.ones(4) for k in ("gamma", "beta", "mean", "variance")}, epsilon=1e-3)
    steps = (ops.Input(shape=(3,)), dense(rng, 3, 4), norm, ops.Relu(), dense(rng, 4, 2))
    graph = chain(*steps, names=["x", "d0", "d", "relu", "out"])
    known = registry(step("sees", sees, Stage.TARGET, needs_calibration=True))
    x = rng.normal(size=(32, 3))
    with pytest.raises(PassError, match="it fails again with") as error:
        snnc.compile(graph, level=2, passes=["sees"], dump=tmp_path / "d", calibration=x, seed=3, registry=known)
    kept = fails_again(tmp_path / "d", error, known)
    assert kept.context.choices
    assert kept.context.known


def test_a_broken_promise_of_an_earlier_pass_and_an_op_that_fails_are_kept_as_well(graph, tmp_path):
    def undo(self, graph, context):
        graph.insert_after("relu", "late", ops.Relu())

    Broken = step("never", lambda self, graph, context: None, Stage.FUSE)
    Broken.postcondition = lambda self, graph: iter(["it is late"] if "late" in graph else [])
    known = registry(step("undo", undo, Stage.TARGET), Broken)
    with pytest.raises(PassError, match=r"never: it is late; it fails again") as error:
        compiled(graph, tmp_path / "d", "undo", "never", registry=known)
    assert [p.name for p in fails_again(tmp_path / "d", error, known).finished].count("never") == 1


def test_what_cannot_be_run_from_text_says_so(graph, tmp_path):
    with pytest.raises(PassError, match="once a plugin registers it, it fails again with"):
        compiled(graph, tmp_path / "d", step("breaks", breaks)())
    Breaks = step("breaks", breaks)
    with pytest.raises(PassError, match="it may fail again with: .* lacks what has no text form"):
        compiled(graph, tmp_path / "d", Breaks(more=object()), registry=registry(Breaks))


def test_the_line_that_is_given_fails_again_when_it_is_run(example, tmp_path, monkeypatch, capsys):
    """As users have it: a built-in pass, the command line, and another process."""
    monkeypatch.chdir(tmp_path)
    model = ["compile", str(example / "mnist_cnn.keras"), "--no-verify", "-o", "out", "--dump", "a dump"]
    assert cli._run([*model, "--level", "1", "--pass", "scale-rates{scale.conv7=20}"]) == 2
    error = capsys.readouterr().err
    command = (tmp_path / "a dump" / "reproducer" / "command.txt").read_text().strip()
    assert command in error
    assert not (tmp_path / "out").exists()
    shell = command.replace("snnc opt", f"{sys.executable} -m snnc opt")
    done = subprocess.run(shell, shell=True, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "pass 'scale-rates'" in done.stderr
    reason = error.partition("pass 'scale-rates': ")[2].partition("; it fails")[0]
    assert reason
    assert reason in done.stderr
