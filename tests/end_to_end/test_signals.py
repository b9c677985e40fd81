"""Ctrl-C, other signals and closed pipes: one line, the shell's exit code, and nothing and nobody left."""

import os
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

import snnc
import snnc.cli
from snnc.processes import in_processes
from tests import models

pytestmark = pytest.mark.skipif(not os.path.isdir("/proc"), reason="processes are looked up in /proc")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a folder with an artifact and samples that take a while."""
    folder = tmp_path_factory.mktemp("signals")
    models.small_cnn(folder / "model.keras")
    snnc.compile(folder / "model.keras", scale=200, verify=False).save(folder / "out")
    np.savez(folder / "x.npz", x=np.zeros((3000, 8, 8, 1), dtype=np.float32))
    return folder


def running(folder):
    """Start a run of two worker processes, in a group of its own as a shell does, and wait for them."""
    options = ["--inputs", str(folder / "x.npz"), "--steps", "300", "--jobs", "2", "-o", str(folder / "y.npz")]
    process = subprocess.Popen(
        [sys.executable, "-m", "snnc", "run", str(folder / "out"), *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    wait_until(lambda: sum("LokyProcess" in command for command in session(process.pid).values()) == 2)
    return process


def session(leader):
    """Return the command of every living process of a session, by process."""
    found = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/stat") as file:
                state, _, _, its_session, *_ = file.read().rpartition(")")[2].split()
            with open(f"/proc/{name}/cmdline") as file:
                command = file.read()
        except OSError:
            continue
        if int(its_session) == leader and state != "Z":
            found[int(name)] = command
    return found


def wait_until(true, seconds=30):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.mark.parametrize(
    ("number", "to_all", "code", "later"),
    [
        (signal.SIGINT, True, 130, 0),
        (signal.SIGINT, True, 130, 1.5),
        (signal.SIGTERM, False, 143, 0),
        (signal.SIGHUP, True, 129, 0.5),
    ],
)
def test_an_interrupted_run_is_one_line_and_leaves_nobody(folder, number, to_all, code, later):
    process = running(folder)
    time.sleep(later)  # workers begin by loading libraries, and may be interrupted then as well
    (os.killpg if to_all else os.kill)(process.pid, number)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (code, "", "snnc: interrupted\n")
    wait_until(lambda: session(process.pid) == {})
    assert sorted(p.name for p in folder.iterdir()) == ["model.keras", "out", "x.npz"]


def test_workers_end_with_a_parent_that_is_killed(folder):
    process = running(folder)
    process.kill()
    process.communicate(timeout=60)
    wait_until(lambda: session(process.pid) == {})


@pytest.mark.parametrize("moment", [0.1, 0.3, 0.5])
def test_a_command_that_is_only_loading_can_be_interrupted(folder, moment):
    process = subprocess.Popen(
        [sys.executable, "-c", "import time; print(1, flush=True); from snnc.__main__ import main; main()", "plan"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    process.stdout.readline()
    time.sleep(moment * 0.5)
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=60)
    following = "next: snnc compile MODEL.keras --calibration X.npz -o out --backend nengo\n"
    assert (process.returncode, err) in [(130, "snnc: interrupted\n"), (0, following)]


@pytest.mark.parametrize("command", ["show {0}/model.keras", "plugins", "verify {0}/out --json", "run {0}/out {1}"])
def test_a_reader_that_has_seen_enough_is_no_failure(folder, command):
    words = command.format(folder, f"--inputs {folder}/x.npz --limit 4 --steps 2 -o /dev/stdout").split()
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-m", "snnc", *words], **pipes) as process:
        process.stdout.read(1)
        process.stdout.close()
        err = process.stderr.read()
    assert process.returncode == 0
    assert err == b"" or re.fullmatch(b"next: snnc [^\n]*\n", err)


def test_results_through_a_pipe_are_nothing_but_results(folder):
    words = ["run", str(folder / "out"), "--inputs", str(folder / "x.npz"), "--limit", "4", "--steps", "2"]
    ran = subprocess.run(
        [sys.executable, "-m", "snnc", *words, "-o", "/dev/stdout"], capture_output=True, check=True, timeout=60
    )
    (folder / "piped.npz").write_bytes(ran.stdout)
    with np.load(folder / "piped.npz") as arrays:
        assert arrays["out"].shape == (4, 2, 3)
    (folder / "piped.npz").unlink()


def test_in_a_folder_that_was_deleted_commands_work_or_are_refused_in_one_line(folder, tmp_path):
    here = tmp_path / "here"

    def ran(*words):
        here.mkdir()
        script = "import os, sys; os.rmdir(os.getcwd()); from snnc.__main__ import main; main()"
        env = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        command = [sys.executable, "-c", script, *map(str, words)]
        return subprocess.run(command, cwd=here, env=env, capture_output=True, text=True, check=False, timeout=60)

    shown = ran("show", folder / "model.keras")
    if shown.returncode:  # later versions of typer load pydantic, which cannot be loaded there either
        assert shown.returncode == 2
        assert shown.stderr == "snnc: the folder that you are in was deleted, go to another\n"
        return
    assert shown.stderr.startswith("next: snnc compile ")
    compiling = ["compile", folder / "model.keras", "--scale", "200", "--no-verify", "-o"]
    # Nengo cannot be loaded there, whatever it is to do
    for output, said in ((tmp_path / "out", "the folder that you are in was deleted"), ("out", "cannot be written")):
        refused = ran(*compiling, output)
        assert refused.returncode == 2
        assert said in refused.stderr
        assert refused.stderr.count("\n") == 1


@pytest.mark.parametrize("option", ["--limit", "--jobs"])
@pytest.mark.parametrize("number", ["0", "-1"])
def test_numbers_of_nothing_are_refused_in_one_line(folder, capsys, option, number):
    code = snnc.cli._run(["run", str(folder / "out"), "--inputs", str(folder / "x.npz"), option, number])
    err = capsys.readouterr().err
    assert code == 2
    assert option in err
    assert err.count("\n") == 1


def _square(x):
    return x * x


def _die(_):
    os._exit(1)


def test_results_of_processes_are_in_order_and_a_process_that_dies_is_one_error():
    from joblib import delayed

    assert list(in_processes((delayed(_square)(i) for i in range(20)), 2)) == [i * i for i in range(20)]
    with pytest.raises(snnc.SnncError, match="a worker process was killed"):
        list(in_processes((delayed(_die)(i) for i in range(4)), 2))
    assert list(in_processes((delayed(_square)(i) for i in range(4)), 2)) == [0, 1, 4, 9]
