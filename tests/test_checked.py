"""Whatever is given for whatever argument is one line that names it, and never an exception of something else."""

import inspect
import io
import pathlib
from collections.abc import Iterable

import numpy as np
import pytest

import snnc
from snnc.checked import OWN, checked
from snnc.comparison import compare
from snnc.compiled import Compiled
from snnc.errors import DataError, FileError, SnncError, UsageError
from snnc.registry import Registry
from snnc.tune import tune
from tests import models


class Hostile:
    """Anything that is asked of it fails."""

    def __repr__(self):
        raise RuntimeError

    def __str__(self):
        raise RuntimeError

    def __eq__(self, other):
        raise RuntimeError

    __hash__ = None

    def __bool__(self):
        raise RuntimeError


WRONG = {
    "nothing": None,
    "true": True,
    "zero": 0,
    "minus one": -1,
    "huge": 10**30,
    "half": 0.5,
    "nan": float("nan"),
    "inf": float("inf"),
    "complex": 1j,
    "text": "nonsense",
    "no text": "",
    "lines": "two\nlines",
    "null": "a\0b",
    "half a character": "\ud800",
    "long": "a" * 5000,
    "bytes": b"x",
    "list": [1, 2],
    "list of nothing": [None],
    "empty": [],
    "nested": [[1], ["a"]],
    "tuple": (1, "a"),
    "set": {1, 2},
    "mapping": {"a": 1},
    "mapping of nothing": {None: None},
    "mapping of nan": {"a": float("nan")},
    "generator": (i for i in range(3)),
    "array": np.zeros((2, 3)),
    "objects": np.array([None, {}], dtype=object),
    "texts": np.array(["a", "b"]),
    "scalar": np.float32(1),
    "object": object(),
    "hostile": Hostile(),
    "class": int,
    "function": print,
    "module": np,
    "stream": io.BytesIO(b"x"),
    "path": pathlib.Path("/nonexistent"),
    "folder": pathlib.Path("/"),
    "error": ValueError("x"),
}
ANYTHING = (*OWN, "model", "neurons", "synapse", "keras")
"""Arguments that are checked by what takes them."""


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    layers = [models.input_layer(3), models.dense_layer("hidden", 2, "relu"), models.dense_layer("out", 2)]
    weights = {"dense": [np.eye(3, 2), np.zeros(2)], "dense_1": [np.eye(2), np.zeros(2)]}
    return models.write_keras(tmp_path_factory.mktemp("checked") / "model.keras", models.sequential(layers), weights)


@pytest.fixture(scope="module")
def compiled(model):
    return snnc.compile(model, scale=200, verify=False)


@pytest.fixture(scope="module")
def registry():
    return Registry.discover()


X = np.zeros((2, 3), dtype=np.float32)
METHODS = ("samples", "run", "predict", "run_and_read_out", "evaluate", "verify", "save", "export")
CALLS = {
    "compile": (snnc.compile, {"level": 1, "verify": False, "build": False}),
    "import_model": (snnc.import_model, {}),
    "load": (snnc.load, {}),
    "tune": (tune, {"trials": 1}),
    "compare": (compare, {}),
    **{name: (getattr(Compiled, name), {}) for name in METHODS},
}
ARGUMENTS = [
    (name, argument)
    for name, (function, _) in CALLS.items()
    for argument, parameter in inspect.signature(function).parameters.items()
    if argument != "self" and parameter.kind is not parameter.VAR_KEYWORD
]


@pytest.mark.parametrize(("name", "argument"), ARGUMENTS, ids=lambda word: word)
def test_a_wrong_argument_is_one_line_that_names_it(name, argument, model, compiled, registry, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    function, given = CALLS[name]
    given = dict(given)
    parameters = inspect.signature(function).parameters
    y = np.zeros(2, dtype=int)
    usual = {"self": compiled, "model": model, "x": X, "steps": 1, "y": y, "path": tmp_path / "out", "jobs": 1}
    usual |= {"samples": compiled.samples({"x": X, "y": y}), "compilations": {"a": compiled, "b": compiled}}
    usual["registry"] = registry
    given |= {key: value for key, value in usual.items() if key in parameters}
    for what, value in WRONG.items():
        try:
            function(**{**given, argument: value})
            taken = True
        except SnncError as error:
            taken, problem = False, str(error)
            assert "\n" not in problem, what
        except BaseException as error:
            raise AssertionError(f"{name}({argument}={what}): {type(error).__name__}: {error}") from error
        if what in ("object", "hostile") and argument not in ANYTHING:
            assert not taken, f"{name}({argument}={what})"
            assert problem.startswith(f"{name}: {argument} is "), problem


def test_numbers_of_numpy_and_any_iterable_are_taken_as_python_has_them():
    @checked
    def given(a: int, b: float = 0.0, c: Iterable[str] = (), d: bool = False, x: str = "") -> tuple[object, ...]:
        return a, b, c, d, x

    found = given(np.int64(1), np.float32(2), (letter for letter in "ab"), np.True_, x=3)
    assert found == (1, 2.0, ("a", "b"), True, 3)
    assert [type(value) for value in found[:2]] == [int, float]
    for wrong in ({"a": True}, {"a": 1.0}, {"b": float("nan")}, {"b": False}, {"c": "ab"}, {"c": {"a": 1}}, {"c": [1]}):
        with pytest.raises(UsageError, match=f"^given: {next(iter(wrong))}") as refused:
            given(**{"a": 1, **wrong})
        assert "not of type" in str(refused.value)


@pytest.mark.parametrize("count", [0, -1])
def test_what_counts_something_is_at_least_one(compiled, count):
    for call in (lambda: compiled.run(X, 1, jobs=count), lambda: compiled.samples(X, limit=count)):
        with pytest.raises(UsageError, match="must be at least 1"):
            call()
    with pytest.raises(UsageError, match="compile: calibration_limit is"):
        snnc.compile(compiled.source, calibration_limit=count)


def test_data_of_a_wrong_kind_is_a_data_error(compiled):
    for wrong in (None, 1, object(), [None], {"x": None}, {"a": X}, np.array([None], dtype=object), X[0], "a\0b"):
        for call in (compiled.run, compiled.predict, compiled.samples):
            with pytest.raises((DataError, FileError)):
                call(wrong)
