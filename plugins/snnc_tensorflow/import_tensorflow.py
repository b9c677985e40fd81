"""TensorFlow, imported when it is first used: plugins are loaded long before anybody chose a backend."""

from __future__ import annotations

import importlib
from typing import Any


class _Lazy:
    """Stand for a module until something of it is wanted."""

    def __getattr__(self, name: str) -> Any:
        return getattr(importlib.import_module("tensorflow"), name)


tf: Any = _Lazy()
