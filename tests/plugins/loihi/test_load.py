import subprocess
import sys

import numpy as np
import pytest

pytest.importorskip("nengo_loihi")

from snnc_loihi.import_nengo_loihi import _Numpy1


def modules_after(code):
    script = f"{code}\nimport sys; print('MODULES', ' '.join(sys.modules))"
    ran = subprocess.run([sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, check=True)
    return set(ran.stdout.rsplit("MODULES", 1)[1].split())


def test_the_plugin_imports_neither_nengo_nor_tensorflow():
    assert modules_after("import snnc_loihi.plugin").isdisjoint({"nengo", "nengo_loihi", "nengo_dl", "tensorflow"})


def test_loading_leaves_tensorflow_alone_and_importable():
    loaded = modules_after("from snnc_loihi.import_nengo_loihi import load; assert load() is load()")
    assert "nengo_loihi" in loaded and loaded.isdisjoint({"nengo_dl", "tensorflow"})


def test_copy_false_means_what_it_did():
    shim = _Numpy1()
    x = np.arange(3)
    np.testing.assert_array_equal(shim.array(x, copy=False, ndmin=2), [x])
    assert shim.array([1, 2], dtype=float, copy=False).dtype == float
    assert shim.array(x) is not x and shim.pi == np.pi
