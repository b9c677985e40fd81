"""Whenever a compilation is killed, the old artifact or the new is there, and the next one clears what is left.

``make kills`` does so a hundred times.
"""

import dataclasses
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

import snnc
from tests import models

KILLS = int(os.environ.get("SNNC_KILLS", "8"))


@pytest.fixture
def model(tmp_path):
    return models.small_cnn(tmp_path / "model.keras")


def compiling(model, out, **settings):
    """Start a compilation of its own process, as the shell does."""
    options = [word for name, value in settings.items() for word in (f"--{name}", str(value))]
    command = [sys.executable, "-m", "snnc", "compile", str(model), "-o", str(out), *options]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def ended(process):
    """Return the exit code of a process, and what it said beside the next step."""
    _, said = process.communicate(timeout=120)
    return process.returncode, re.sub("^next: snnc evaluate .*\n", "", said.decode())


def hidden(folder):
    return sorted(p.name for p in folder.iterdir() if p.name.startswith("."))


def test_a_compilation_that_is_killed_at_any_moment_leaves_the_old_artifact_or_the_new(model, tmp_path):
    x = np.random.default_rng(0).uniform(0, 1, size=(2, 8, 8, 1)).astype(np.float32)
    out, moments, scales = tmp_path / "out", random.Random(0), {100.0, 200.0}
    start = time.monotonic()
    assert ended(compiling(model, out, scale=100)) == (0, "")
    whole, left, killed = time.monotonic() - start, 0, 0
    for i in range(KILLS):
        process = compiling(model, out, scale=(200, 100)[i % 2])
        if i % 2:
            time.sleep(moments.uniform(0, whole))
        else:  # while it writes, which takes some thousandths of a second
            while process.poll() is None and not hidden(tmp_path):
                time.sleep(1e-4)
            time.sleep(moments.uniform(0, 4e-3))
        process.kill()
        killed += ended(process)[0] == -signal.SIGKILL
        left += bool(hidden(tmp_path))
        artifact = snnc.load(out)
        assert {1 / float(np.ravel(artifact.graph["conv_a"].op.scale)[0])} < scales
        assert artifact.run(x, 2, jobs=1)["out"].shape == (2, 2, 3)
    assert ended(compiling(model, out, scale=100)) == (0, "")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["model.keras", "out"]
    sys.stdout.write(
        f"{KILLS} compilations, {killed} killed, {left} times with something left, {KILLS} artifacts loaded\n"
    )
    assert killed > KILLS / 2


def test_an_artifact_that_is_replaced_while_it_is_read_is_the_old_one_or_the_new(model, tmp_path):
    kinds = [snnc.compile(model, scale=scale, verify=False) for scale in (100, 200)]
    wanted = [(c.settings.seed, c.graph["conv_a"].op.scale) for c in kinds]
    kinds[1].settings = dataclasses.replace(kinds[1].settings, seed=1)
    wanted[1] = (1, wanted[1][1])
    out, ended = tmp_path / "out", threading.Event()
    kinds[0].save(out)

    def replace():
        while not ended.is_set():
            for compiled in kinds:
                compiled.save(out)

    thread = threading.Thread(target=replace)
    thread.start()
    try:
        found = [snnc.load(out) for _ in range(30)]
    finally:
        ended.set()
        thread.join()
    assert {(c.settings.seed, c.graph["conv_a"].op.scale) for c in found} <= set(wanted)


def test_compilations_to_one_output_all_end_well(model, tmp_path):
    processes = [compiling(model, tmp_path / "out", scale=100 + i) for i in range(3)]
    assert [ended(process) for process in processes] == [(0, "")] * 3
    assert snnc.load(tmp_path / "out").graph["conv_a"].op.model.kind == "spiking-relu"
    assert hidden(tmp_path) == []
