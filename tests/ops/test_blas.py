"""Matrix products and the number of BLAS threads."""

from __future__ import annotations

import sys
import threading

import numpy as np
import pytest

from snnc.engine.rate import evaluate_nodes
from snnc.ir.graph import Graph
from snnc.ops.kernels.blas import cores, matmul, matvec, one_thread
from snnc.ops.layers import Dense, Input


def test_matmul_equals_numpy_with_and_without_out():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(7, 5)).astype(np.float32), rng.normal(size=(5, 3)).astype(np.float32)
    out = np.full((7, 3), 9, dtype=np.float32)
    assert matmul(a, b, out) is out
    np.testing.assert_allclose(out, a @ b, rtol=1e-6, atol=1e-6)
    np.testing.assert_array_equal(matmul(a, b), out)
    assert matmul(a, b).flags.c_contiguous


def test_matmul_takes_matrices_however_they_lie_in_memory():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(5, 14)).astype(np.float32), rng.normal(size=(3, 10)).astype(np.float32)
    np.testing.assert_allclose(matmul(a.T[::2], b.T[::2]), a.T[::2] @ b.T[::2], rtol=1e-5)
    np.testing.assert_array_equal(matmul(a[:, :1], b[:1, ::-1]), a[:, :1] @ b[:1, ::-1])


def test_products_of_64_bits_where_the_result_has_64():
    rng = np.random.default_rng(0)
    a, b, x = rng.normal(size=(7, 5)), rng.normal(size=(5, 3)), rng.normal(size=5)
    out, y = np.full((7, 3), np.nan), np.full(7, 9.0)
    np.testing.assert_allclose(matmul(a, b, out), a @ b, rtol=1e-14)
    matvec(a, x, y)
    np.testing.assert_allclose(y, a @ x, rtol=1e-14)
    single = np.full(7, 9, dtype=np.float32)
    matvec(a.astype(np.float32), x.astype(np.float32), single)
    np.testing.assert_allclose(single, y, rtol=1e-5)
    matvec(np.ones((7, 0)), np.ones(0), y)
    assert not y.any()


def test_another_thread_gets_on_while_blas_works():
    a = np.ones((2000, 2000), dtype=np.float32)
    count, counted = 0, []

    def multiply():
        with one_thread():
            for _ in range(3):
                before = count
                matmul(a, a)
                counted.append(count - before)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        thread = threading.Thread(target=multiply)
        thread.start()
        while thread.is_alive():
            count += 1
    finally:
        sys.setswitchinterval(interval)
    # with Python's lock held, the other thread counts in the instants before and behind a product only
    assert max(counted) > 30_000


@pytest.mark.parametrize("shape", [(0, 5, 3), (2, 0, 3), (2, 5, 0)])
def test_matmul_of_nothing(shape):
    rows, inner, columns = shape
    got = matmul(np.ones((rows, inner), dtype=np.float32), np.ones((inner, columns), dtype=np.float32))
    assert got.shape == (rows, columns)
    assert not got.any()


def blas_threads():
    from threadpoolctl import threadpool_info

    return [lib["num_threads"] for lib in threadpool_info() if lib["user_api"] == "blas"]


def test_one_thread_limits_blas_and_gives_it_back():
    before = blas_threads()
    with one_thread():
        assert set(blas_threads()) == {1}
    assert blas_threads() == before
    assert cores() >= 1


@pytest.mark.parametrize("batch", [1, 2, 7])
def test_a_batch_split_over_cores_stays_in_order(batch):
    graph = Graph()
    graph.add("x", Input(shape=(3,)))
    graph.add("y", Dense(weight=np.eye(3, dtype=np.float32), bias=np.ones(3, dtype=np.float32)), ["x"])
    graph.set_outputs({"y": "y"})
    x = np.arange(batch * 3, dtype=np.float32).reshape(batch, 3)
    values = evaluate_nodes(graph, {"x": x}, {"x", "y"})
    np.testing.assert_array_equal(values["x"], x)
    np.testing.assert_array_equal(values["y"], x + 1)


def test_blocks_of_several_threads_share_the_limit_and_the_last_gives_it_back():
    from threadpoolctl import threadpool_limits

    first, second = threading.Event(), threading.Event()

    def overlapping():
        with one_thread():
            first.set()
            second.wait(10)

    with threadpool_limits(2, user_api="blas"):
        before = blas_threads()
        thread = threading.Thread(target=overlapping)
        with one_thread():
            thread.start()
            assert first.wait(10)
        assert set(blas_threads()) == {1}  # the other is still inside
        second.set()
        thread.join()
        assert blas_threads() == before
