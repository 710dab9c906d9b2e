"""The example plugins, loaded from their files as a plugin is."""

from __future__ import annotations

import importlib.util
from types import ModuleType

from mrclassic import shipped


def load(name: str) -> ModuleType:
    """The module of `plugins/NAME.py`."""
    spec = importlib.util.spec_from_file_location(name, shipped.folder("plugins") / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
