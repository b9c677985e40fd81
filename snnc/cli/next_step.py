"""What to do next: one line on stderr behind what a command prints, as a command line that can be pasted."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

from snnc.arguments import CHOOSING
from snnc.comparison import Compared
from snnc.compiled import Compiled
from snnc.evaluation.evaluate import Evaluation
from snnc.evaluation.verify import VerifyReport
from snnc.export import Exporter
from snnc.files import npz_names
from snnc.samples import LABELS, Samples
from snnc.terminal import printable

Options: TypeAlias = Mapping[str, object]
"""What the user gave, by the option's name: a value, several, True for a flag, None for what was left out."""
SAMPLES = Path("X.npz")
"""What stands for samples that nobody named yet."""
NEAR = 0.01
"""How far a score may be behind the model's, or behind the best, and count as good."""
JUDGED = ("--task", "--judge")
"""Options that say what is judged."""


def say(*words: object, options: Options | None = None) -> None:
    """Print a command of snnc on stderr; stdout is for results alone."""
    tell(shlex.join(["snnc", *(_word(word) for word in (*words, *_given(options or {})))]))


def tell(text: str) -> None:
    """Print in words what to do next."""
    sys.stdout.flush()
    print(printable(f"next: {text}", keep=""), file=sys.stderr)  # noqa: T201


def after_compile(folder: Path, compiled: Compiled, calibration: Path | None, options: Options) -> None:
    """Say how good the network is on labelled samples; without labels, how close to the model."""
    if compiled.report is not None and compiled.report["exact"] == "failed":
        _remedy(None, folder, calibration or SAMPLES, compiled, {**options, "--steps": None})
    else:
        labelled = calibration is None or _has_labels(calibration, compiled)
        say("evaluate" if labelled else "verify", folder, "--inputs", calibration or SAMPLES, options=options)


def after_run(folder: Path, inputs: Path, samples: Samples, options: Options) -> None:
    """Say how good what was printed is."""
    say("evaluate" if samples.labels else "verify", folder, "--inputs", inputs, options=options)


def after_evaluate(folder: Path, inputs: Path, compiled: Compiled, measured: Evaluation, options: Options) -> None:
    """Say how to look at a network that is as good as the model, and what may help where it is not."""
    if _good(measured):
        _look(folder, inputs, options)
    else:
        _remedy("evaluate", folder, inputs, compiled, options)


def after_verify(
    folder: Path,
    inputs: Path | None,
    compiled: Compiled,
    samples: Samples | None,
    report: VerifyReport,
    options: Options,
) -> None:
    """Say what the network costs where it passed, and what may help where it failed."""
    if inputs is None or samples is None:
        say("verify", folder, "--inputs", SAMPLES, options=options)
    elif report.exact == "failed":
        _remedy(None, folder, inputs, compiled, options)
    elif report.spiking_problems:
        _remedy("verify", folder, inputs, compiled, options)
    elif samples.labels:
        say("evaluate", folder, "--inputs", inputs, options=options)
    else:
        _look(folder, inputs, options)


def after_verify_exported(folder: Path, file: Path, inputs: Path | None, exporter: Exporter, *, passed: bool) -> None:
    """Say to try real samples, too, or to write the file again."""
    if not passed:
        say("export", folder, "--format", exporter.name, "-o", file)
    elif inputs is None:
        say("verify", folder, "--exported", file, "--inputs", SAMPLES)
    else:
        tell(f"give {file} to the tool that is to run it")


def after_export(folder: Path, file: Path, exporter: Exporter, artifact: Path | None, options: Options) -> None:
    """Say how to prove a file for other tools, or how to get what a portable one can be held against."""
    if type(exporter).read is Exporter.read:
        tell(f"give {file} to the tool that is to run it")
    elif options["--portable"] and artifact is None:
        say("export", folder, "--artifact", _beside(folder, "-portable"), "-o", file, options=options)
    else:
        say("verify", artifact or folder, "--exported", file)


def after_saved_model(folder: Path) -> None:
    """Say how a SavedModel is loaded."""
    code = f"import tensorflow as tf; print(tf.saved_model.load({str(folder)!r}).signatures)"
    tell(shlex.join(["python", "-c", code]))


def after_compare(rows: Sequence[Compared], inputs: Path, options: Options) -> None:
    """Say how to look at the cheapest of those that are as good as the best."""
    heard = [row for row in rows if not row.silent] or rows
    good = max(row.score for row in heard) - NEAR
    best = min((row for row in heard if row.score >= good), key=lambda row: row.energy_45nm)
    _look(Path(best.name), inputs, options)


def _look(folder: Path, inputs: Path, options: Options) -> None:
    say("report", folder, "--inputs", inputs, "-o", _beside(folder, ".html"), options=options)


def _good(measured: Evaluation) -> bool:
    """Return whether a network does as well as its model, for all that so many samples can tell."""
    best = max(measured.score + NEAR, *(measured.accuracy_interval or (0.0,)))
    return not measured.silent and best >= measured.model_score


def _remedy(command: str | None, folder: Path, inputs: Path, compiled: Compiled, options: Options) -> None:
    """Say: calibrate on these samples; where that was done, show the steps that were chosen, search, or show more.

    With no command to show more steps with, it is no question of steps, and the graph says what became of the model.
    """
    using = ["--backend", compiled.settings.backend, "--calibration", inputs]
    judged = _only(JUDGED, options)
    steps, report = options["--steps"] or compiled.default_steps, compiled.report
    assert isinstance(steps, int)
    if compiled.settings.level < 2 or report is None or not report["real"]:
        say("compile", folder, *using, "-o", _beside(folder, "-calibrated"), options=judged)
    elif command is None or compiled.temporal:
        say("show", folder)
    elif steps < compiled.default_steps:
        say(command, folder, "--inputs", inputs, options={**options, "--steps": None})
    elif not any(entry.changed and entry.name.startswith(CHOOSING) for entry in compiled.journal):
        say(command, folder, "--inputs", inputs, options={**options, "--steps": 2 * steps})
    elif command == "evaluate":  # there are labels then
        say("tune", folder, *using, "-o", _beside(folder, "-tuned"), options=judged)
    else:
        say("compile", folder, *using, "--target-drop", "0.1", "-o", _beside(folder, "-closer"), options=judged)


def _beside(folder: Path, ending: str) -> Path:
    """Return the name of what is to be written beside an artifact."""
    named = folder.resolve() if folder.name in ("", "..") else folder
    return named.with_name(f"{named.name}{ending}")


def _has_labels(inputs: Path, compiled: Compiled) -> bool:
    names = {LABELS, *(f"{LABELS}_{output}" for output in compiled.source.outputs)}
    return not names.isdisjoint(set(npz_names(inputs)) - set(compiled.source.inputs))


def _only(names: Sequence[str], options: Options) -> Options:
    return {name: options[name] for name in names}


def _given(options: Options) -> list[object]:
    words: list[object] = []
    for name, value in options.items():
        if value is True:
            words.append(name)
        elif value is not None and value is not False:
            words += [word for each in (value if isinstance(value, list) else [value]) for word in (name, each)]
    return words


def _word(word: object) -> str:
    """Return a word of a command line; a path that looks like an option is no option."""
    return f"./{word}" if isinstance(word, Path) and str(word).startswith("-") else str(word)
