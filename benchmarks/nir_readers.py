"""What snnTorch, Sinabs and Norse make of NIR files of snnc: by their own readers as released, and by ``snnc.nir``.

``.venv-nir/bin/python benchmarks/nir_readers.py`` behind ``make test-nir``; some minutes. The example is compiled for
whole spikes, once as it comes and once ``--portable``, and shown 64 digits; small networks of the tests, with random
weights, are shown 64 random inputs. A neuron differs where it sends another number of spikes in all than in numpy, in
which nothing but the order of sums is another. The tables go into docs/nir.md.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import io
import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np
import torch

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

import nir  # noqa: E402

import snnc  # noqa: E402
from snnc import nir as loaders  # noqa: E402
from snnc.portable import portable  # noqa: E402
from tests.nir_torch.exported import NETWORKS, Weights, inputs, spikes, to_nir  # noqa: E402

EXAMPLE = ROOT / "examples" / "mnist"
SAMPLES = 64


def watched(net, kind, steps, *, at_once=False):
    """Return a dict that gets the spikes of all modules of a kind, ``(batch, steps, ...)`` parts by name."""
    found = {}

    def hook(name):
        def keep(module, given, output):
            y = (output[0] if isinstance(output, tuple) else output).detach().numpy()
            found.setdefault(name, []).append(y.reshape(-1, steps if at_once else 1, *y.shape[1:]))

        return keep

    for name, module in net.named_modules():
        if isinstance(module, kind):
            module.register_forward_hook(hook(name))
    return found


def over_steps(call, x, steps):
    """Return the outputs of a network in every step, which gets and gives a state, or none."""
    given, outputs = (), []
    for _ in range(steps):
        y = call(x, *given)
        y, *given = y if isinstance(y, tuple) else (y,)
        outputs.append(y.numpy())
    return np.stack(outputs, axis=1)


def in_sinabs(path, x, steps):
    """Return outputs and spikes by layer of Sinabs' own reader."""
    from sinabs.layers import IAFSqueeze
    from sinabs.nir import from_nir

    net = from_nir(nir.read(path), batch_size=len(x), num_timesteps=steps)
    found = watched(net, IAFSqueeze, steps, at_once=True)
    y = net(x.repeat_interleave(steps, dim=0))
    y = y[0] if isinstance(y, tuple) else y
    return y.reshape(len(x), steps, *y.shape[1:]).numpy(), found


def in_snntorch(path, x, steps, by_hand=False):
    """Return outputs and spikes by layer of snnTorch's own reader; ``by_hand`` makes the layers callable."""
    import snntorch
    from snntorch.import_nir import import_from_nir

    net = import_from_nir(nir.read(path))
    for module in net.modules():
        if by_hand and isinstance(module, snntorch.Leaky):
            module.init_hidden = True
    found = watched(net, snntorch.Leaky, steps)
    return over_steps(net, x, steps), found


def in_snntorch_by_hand(path, x, steps):
    """Return what snnTorch's own reader gives where ``init_hidden`` is set in every layer."""
    return in_snntorch(path, x, steps, by_hand=True)


def in_norse(path, x, steps):
    """Return outputs and spikes by layer of Norse's own reader."""
    from norse.torch.module.iaf import IAFCell
    from norse.torch.utils.import_nir import from_nir

    net = from_nir(nir.read(path))
    found = watched(net, IAFCell, steps)
    return over_steps(net, x, steps), found


READERS = {
    "Sinabs": (in_sinabs, loaders.load_sinabs),
    "snnTorch": (in_snntorch, loaders.load_snntorch),
    "snnTorch, `init_hidden` set by hand": (in_snntorch_by_hand, None),
    "Norse": (in_norse, loaders.load_norse),
}


def said(wanted, got, right):
    """Return in a few words how spikes by layer, and the share of right answers, differ from the wanted ones."""
    if not wanted.keys() <= got.keys():
        return "other layers"
    neurons = sum(y[:, 0].size for y in wanted.values())
    other = sum(int((np.round(y).sum(axis=1) != got[name].sum(axis=1)).sum()) for name, y in wanted.items())
    sent, all_sent = sum(float(got[n].sum()) for n in wanted), sum(float(np.round(y).sum()) for y in wanted.values())
    text = f"{other:,} of {neurons:,} differ, {sent:,.0f} of {all_sent:,.0f} spikes"
    return text if right is None else f"{text}, {right:.1%} right"


def as_released(read, path, c, x, y, steps):
    """Return in a few words what a library's own reader makes of a file."""
    wanted = spikes(c, x, steps)
    shape = tuple(nir.read(path).nodes[next(iter(c.source.inputs))].input_type["input"])
    first = torch.tensor(np.moveaxis(x, -1, 1).reshape(len(x), *shape))
    try:
        with torch.no_grad(), contextlib.redirect_stdout(io.StringIO()):
            out, found = read(path, first, steps)
    except Exception as error:
        return f"{type(error).__name__}: {' '.join(str(error).split())[:80]}"
    shaped = {}
    for name, parts in found.items():
        spiked = np.concatenate(parts, axis=1)
        if name in wanted:
            shaped[name] = np.moveaxis(spiked, 2, -1).reshape(wanted[name].shape)
    answers = c.read_out(out.reshape(len(x), steps, -1), c.settings.dt)
    if answers.shape[-1] != c.predict(x[:1], steps).shape[-1]:
        return f"gives {out.shape[2:]}, another layer than the last; {said(wanted, shaped, None)}"
    return said(wanted, shaped, None if y is None else float((answers.argmax(-1) == y).mean()))


def table(c, x, y, steps, path):
    """Print the rows of a network."""
    for name, (read, load) in READERS.items():
        ours = ""
        if load is not None:
            net = load(path)
            right = None if y is None else float((net.predict(x).argmax(-1) == y).mean())
            ours = said(spikes(c, x, steps), net.record(x), right)
            ours += f"; outputs of every step to {np.abs(of(net.run(x)) - of(c.run(x, steps))).max():.1e}"
        print(f"| {name} | {as_released(read, path, c, x, y, steps)} | {ours} |", flush=True)


def of(outputs):
    """Return the only output."""
    return next(iter(outputs.values()))


def main():
    """Print all tables."""
    warnings.simplefilter("ignore")
    names = ("torch", "nir", "nirtorch", "sinabs", "snntorch", "norse")
    print(", ".join(f"{name} {importlib.metadata.version(name)}" for name in names))
    data = np.load(EXAMPLE / "samples.npz")
    x, y = data["x"][:SAMPLES], data["y"][:SAMPLES]
    example = snnc.compile(
        EXAMPLE / "mnist_cnn.keras", level=2, neurons="soft-reset-if", calibration=EXAMPLE / "samples.npz"
    )
    made = portable(example, example.registry.exporter("nir"), EXAMPLE / "samples.npz").compiled
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "net.nir"
        for title, c in {"the example": example, "the example, portable": made}.items():
            steps = c.default_steps
            right = (c.predict(x).argmax(-1) == y).mean()
            print(f"\n{title}, {SAMPLES} samples, {steps} steps; in numpy {right:.1%} right")
            to_nir(c, path, steps)
            table(c, x, y, steps, path)
        for name, network in NETWORKS.items():
            c = snnc.compile(network(Weights(binary=False)), neurons="soft-reset-if{initial=0.5}", scale=256)
            print(f"\n{name}, {SAMPLES} samples, 8 steps")
            to_nir(c, path, 8)
            table(c, inputs(c.source, SAMPLES, binary=False), None, 8, path)


if __name__ == "__main__":
    main()
