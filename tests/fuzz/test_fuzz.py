"""A short run of ``make fuzz``: some hundred damaged files of every kind."""

import subprocess
import sys

from tests.conftest import ROOT

COUNT = 700


def test_no_damaged_file_raises_hangs_or_takes_all_memory(tmp_path):
    arguments = ["--count", str(COUNT), "--seed", "1000000", "--jobs", "2", "--keep", str(tmp_path)]
    ran = subprocess.run([sys.executable, "-m", "tests.fuzz", *arguments], cwd=ROOT, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert f"{COUNT} executions" in ran.stdout
    assert "0 crashes or exceptions that are not snnc's own, 0 over 10 s, 0 over 2 GB" in ran.stdout
    for kind in ("keras", "h5", "artifact", "npz", "reproducer", "plugin", "nir"):
        assert f" {kind} refused: " in ran.stdout
    assert not list(tmp_path.iterdir())
