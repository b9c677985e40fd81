"""Share samples among processes. Every sample starts from the same state, so that the outputs do not depend on how."""

from __future__ import annotations

import pickle
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import TypeAlias

import numpy as np
from joblib import cpu_count, delayed

from snnc.api import AnyArray, Array, Recording, in_processes, one_thread
from snnc_nengo.building import building
from snnc_nengo.simulate import Job, Simulation

START_UP = 3.0
"""Seconds that more processes have to save before they are worth starting."""
CHUNKS = 4
"""Pieces of work for each process, so that progress shows and the last piece is short."""

Sample: TypeAlias = Mapping[str, Array]
"""By input name: a row a step, flattened; one row for an input that does not change."""


def show_all(
    simulation: Simulation, job: Job, samples: Sequence[Sample], steps: int, jobs: int | None
) -> Iterator[Recording]:
    """Yield what each sample gives, in order; with ``jobs`` None, take more processes if the first sample is slow."""
    alone = _in_turn(simulation, job, samples, steps)
    if jobs is None:
        start = time.perf_counter()
        yield from islice(alone, 1)
        cores = min(cpu_count(), max(len(samples) - 1, 1))
        saved = (time.perf_counter() - start) * (len(samples) - 1) * (1 - 1 / cores)
        jobs, samples = (cores, samples[1:]) if saved > START_UP else (1, samples)
    jobs = min(jobs, len(samples))
    if jobs < 2:
        yield from alone
        return
    size = -(-len(samples) // (jobs * CHUNKS))
    pieces = (samples[i : i + size] for i in range(0, len(samples), size))
    # as an array, the network goes to all processes by shared memory
    pickled = np.frombuffer(pickle.dumps(job), dtype=np.uint8)
    work = (delayed(_work)(job.key, pickled, piece, steps) for piece in pieces)
    for shown in in_processes(work, jobs):
        yield from shown


def _in_turn(simulation: Simulation, job: Job, samples: Sequence[Sample], steps: int) -> Iterator[Recording]:
    # BLAS rounds differently with another number of threads, and is no faster with several for sizes like these
    for sample in samples:
        with one_thread():
            shown = simulation.show(sample, steps, job.watch)
        yield shown


class _Worker(threading.local):
    """What a worker ran last. Workers are processes, but inside of other people's they may be threads."""

    key = ""
    job: Job
    simulation: Simulation


_worker = _Worker()


def _work(key: str, pickled: AnyArray, samples: Sequence[Sample], steps: int) -> list[Recording]:
    if _worker.key != key:
        with building():
            job = pickle.loads(pickled.data)
            _worker.key, _worker.job, _worker.simulation = key, job, Simulation(job)
    return list(_in_turn(_worker.simulation, _worker.job, samples, steps))
