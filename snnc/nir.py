"""NIR files that snnc wrote, as networks of the libraries that read NIR, each with the settings that make it exact.

A network is a ``torch.nn.Module`` of the library's own layers; where it has none that does what the file says, such as
several or signed spikes in a step, a module runs snnc's own rule.

- ``net(x)`` gives the output of the next step, ``net.reset()`` goes back to the fresh state;
- ``net.run(x)``, ``net.predict(x)`` and ``net.record(x)`` give what ``Compiled.run`` and ``Compiled.predict`` give, and
  the spikes of every layer;
- ``net.layers`` has the modules by the names of the file's nodes, ``net.notes`` says what is not exact.

Libraries are imported when they are asked for; nothing is read from a file but numbers and text.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from snnc.checked import checked

__all__ = ["load_norse", "load_sinabs", "load_snntorch"]


@checked
def load_snntorch(path: str | os.PathLike[str], *, channels_first: bool = False) -> Any:
    """Return the network of a file in snnTorch's layers.

    Args:
        path: what ``snnc export --format nir`` wrote.
        channels_first: whether inputs and outputs are ``(batch, channels, height, width)``, as PyTorch has them, and
            not ``(batch, height, width, channels)``, as Keras and snnc have them.

    Raises:
        MissingExtraError: torch or snnTorch is not installed.
        FileError: the file is missing, damaged, or none that snnc wrote; names the node.

    """
    return _load(path, "snntorch", channels_first)


@checked
def load_sinabs(path: str | os.PathLike[str], *, channels_first: bool = False) -> Any:
    """Return the network of a file in Sinabs' layers; see ``load_snntorch``."""
    return _load(path, "sinabs", channels_first)


@checked
def load_norse(path: str | os.PathLike[str], *, channels_first: bool = False) -> Any:
    """Return the network of a file in Norse's layers; see ``load_snntorch``."""
    return _load(path, "norse", channels_first)


def _load(path: str | os.PathLike[str], library: str, channels_first: bool) -> Any:
    from snnc_nir.load import load

    from snnc.registry import Registry

    registry = Registry.discover()
    return load(Path(path), library, registry.kinds, registry.read_out, channels_first=channels_first)
