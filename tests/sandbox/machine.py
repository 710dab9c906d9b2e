"""The sandboxes that this machine offers."""

from __future__ import annotations

from mrclassic.sandbox import backends

BACKENDS = [name for name in backends.BACKENDS if backends.fault(name) is None]
