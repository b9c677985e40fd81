"""Fuzz the readers: ``python -m tests.fuzz [--count N] [--seed FIRST] [--jobs N] [--kind K] [--keep FOLDER]``.

Every case is a seed. Cases run in worker processes; one that takes longer than ten seconds or more than two gigabytes
is a defect, as is any exception but snnc's own. The files of a defect are kept, and its seed is printed: ``--seed N
--count 1`` runs it again.
"""

from __future__ import annotations

import argparse
import collections
import multiprocessing
import os
import resource
import shutil
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import Any

SECONDS, BYTES = 10, 2 << 30
MOST = 8 << 30
"""Bytes of address space at which a worker ends, so that a defect does not take the machine with it."""
LIFE = 2000
"""Cases of a worker, after which another one goes on: what leaks does not add up to a defect."""


def work(seeds: range, kind: str | None, pipe: Any) -> None:
    """Run cases in a worker process; tell of each when it begins and how it ended."""
    import h5py  # noqa: F401 - so that forks have it

    from tests.fuzz.cases import Defect, forked_readers, registry, run

    sys.stderr = open(os.devnull, "w")
    resource.setrlimit(resource.RLIMIT_AS, (MOST, MOST))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    registry()
    with forked_readers():
        for seed in seeds:
            folder = Path(tempfile.mkdtemp(prefix="snnc-fuzz-"))
            pipe.send(("begins", seed, str(folder)))
            try:
                outcome = run(seed, folder, kind)
            except Defect as defect:
                text = "".join(traceback.format_exception(defect.__cause__))
                pipe.send(("defect", seed, f"{defect}\n{text}"))
            except Exception:
                pipe.send(("defect", seed, f"the fuzzer itself: {traceback.format_exc()}"))
            else:
                shutil.rmtree(folder, ignore_errors=True)
                pipe.send(("ended", seed, outcome))
            if resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 > BYTES:
                pipe.send(("defect", seed, f"took {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10} MB"))
                break  # the most ever taken never falls again
    pipe.send(("done", seed, ""))


class Worker:
    """A worker process and the seeds that it still has to do."""

    def __init__(self, seeds: range, kind: str | None) -> None:
        """Start it."""
        self.seeds, self.began, self.at, self.folder = seeds, 0.0, None, ""
        self.pipe, other = multiprocessing.Pipe()
        part = seeds[:LIFE]
        self.process = multiprocessing.get_context("fork").Process(target=work, args=(part, kind, other), daemon=True)
        self.process.start()
        other.close()

    def rest(self, seed: int) -> range:
        """Return the seeds behind one."""
        return range(seed + self.seeds.step, self.seeds.stop, self.seeds.step)


def fuzz(first: int, count: int, jobs: int, keep: Path, kind: str | None = None) -> int:
    """Run cases and print the counts of what came of them; return the number of defects."""
    outcomes: collections.Counter[str] = collections.Counter()
    defects: list[tuple[int, str]] = []
    workers = [Worker(range(first + k, first + count, jobs), kind) for k in range(min(jobs, count))]
    start = told = time.monotonic()

    def defect(worker: Worker, seed: int, text: str) -> None:
        defects.append((seed, text))
        target = keep / f"seed{seed}"
        target.mkdir(parents=True, exist_ok=True)
        if worker.folder and os.path.isdir(worker.folder):
            shutil.copytree(worker.folder, target, dirs_exist_ok=True)
            shutil.rmtree(worker.folder, ignore_errors=True)
        (target / "defect.txt").write_text(text)
        print(f"seed {seed}: {text.splitlines()[0][:200]}", flush=True)

    while workers:
        ready = multiprocessing.connection.wait([w.pipe for w in workers], timeout=0.5)
        now = time.monotonic()
        for worker in list(workers):
            ends = None
            if worker.pipe in ready:
                try:
                    what, seed, text = worker.pipe.recv()
                except (EOFError, OSError):
                    ends = worker.at if worker.at is not None else worker.seeds[0]
                    worker.process.join()
                    defect(worker, ends, f"the process died (exit code {worker.process.exitcode})")
                else:
                    if what == "begins":
                        worker.at, worker.began, worker.folder = seed, now, text
                    elif what == "ended":
                        outcomes[text] += 1
                        worker.began = 0.0
                    elif what == "defect":
                        outcomes[f"DEFECT {text.splitlines()[0][:60]}"] += 1
                        defect(worker, seed, text)
                        worker.began = 0.0
                    else:
                        ends = seed
            elif worker.began and now - worker.began > SECONDS:
                ends = worker.at
                defect(worker, ends, f"took more than {SECONDS} seconds")
                worker.process.kill()
            if ends is not None:
                workers.remove(worker)
                worker.process.join()
                if worker.rest(ends):
                    workers.append(Worker(worker.rest(ends), kind))
        if now - told > 60:
            told = now
            print(f"{sum(outcomes.values())} of {count} in {now - start:.0f} s, {len(defects)} defects", flush=True)
    for outcome, number in sorted(outcomes.items()):
        print(f"{number:8} {outcome}")
    first_lines = [text.splitlines()[0] for _, text in defects]
    hangs = sum("seconds" in line for line in first_lines)
    memory = sum("MB" in line or "all memory" in line for line in first_lines)
    print(
        f"{count} executions in {time.monotonic() - start:.0f} s: {len(defects) - hangs - memory} crashes or "
        f"exceptions that are not snnc's own, {hangs} over {SECONDS} s, {memory} over {BYTES >> 30} GB"
    )
    return len(defects)


def main() -> int:
    """Read the arguments; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=50_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--keep", type=Path, default=Path("out/fuzz"))
    parser.add_argument("--kind", help="one kind of case: keras, h5, artifact, npz or plugin")
    given = parser.parse_args()
    return int(fuzz(given.seed, given.count, given.jobs, given.keep, given.kind) > 0)


if __name__ == "__main__":
    sys.exit(main())
