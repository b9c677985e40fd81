"""Every shared sample file, of six Keras versions, against the outputs that Keras gave; without TensorFlow."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from snnc.errors import FrontendError
from snnc.ir.check import check
from tests.conftest import ROOT
from tests.frontend.loading import import_model, relative_error

MODELS = Path(os.environ.get("SNNC_SHARED", ROOT.parent / "shared")) / "models"
FILES = sorted(p for p in MODELS.rglob("*") if p.suffix in (".h5", ".keras") and p.with_suffix(".io.npz").exists())
NOT_YET = set()
"""Files with layers that have no importer: refused, and by name. One that is imported has to leave this list."""


@pytest.mark.skipif(not FILES, reason="the shared sample models are not on this machine")
@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(MODELS)))
def test_a_file_gives_what_keras_gave(path):
    if path.name in NOT_YET:
        with pytest.raises(FrontendError, match=r"^(cannot import \d+ layer\(s\): )?layer '"):
            import_model(path)
        return
    data = np.load(path.with_suffix(".io.npz"), allow_pickle=False)
    xs = [data[f"x{k}"] for k in range(len([name for name in data.files if name[0] == "x"]))]
    ys = [data[f"y{k}"] for k in range(len([name for name in data.files if name[0] == "y"]))]
    try:
        graph = import_model(path)
    except FrontendError as error:
        assert "input_shape" in str(error)  # noqa: PT017 - some models leave sizes open
        graph = import_model(path, input_shape=xs[0].shape[1:])
    check(graph)
    got = list(graph.evaluate(dict(zip(graph.inputs, xs, strict=True))).values())
    assert len(got) == len(ys)
    assert max(relative_error(a, b) for a, b in zip(got, ys, strict=True)) < 1e-5


@pytest.mark.skipif(not FILES, reason="the shared sample models are not on this machine")
def test_reading_needs_no_keras(tmp_path):
    code = (
        "import sys; from tests.frontend.loading import import_model; import_model(sys.argv[1]);"
        "assert not {'tensorflow', 'keras', 'nengo'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code, str(FILES[0])], cwd=ROOT, check=True)
