"""Python's collector, kept from holding up a key.

It looks at every object again and again, and the app's modules alone are so many that a full look takes a tenth of a
second. What stands when the app has opened, stands until it closes: it is set aside, and from then on the collector
looks only at what came after, and in full only in a pause. So nothing that is let go of later is kept.
"""

from __future__ import annotations

import gc

YOUNG = 4000
"""Objects made between two looks at the youngest, which then take a millisecond."""
SOME, MANY = 5, 3
"""Looks at the young after which one at the middle-aged is worth while; such looks after which a full one is."""
TOO_MANY = 50
"""Of either, after which it does not wait for a pause."""
PAUSE, REST = 0.3, 2.0
"""Seconds without a key in which there is time for a short look, and for a full one."""


def wait() -> None:
    """No looking until `set_aside`: what an app makes while it starts is there to stay."""
    gc.disable()


def set_aside() -> None:
    """Leave alone what there is now; for few, chosen moments, as a circle among these objects is never freed."""
    gc.freeze()
    gc.set_threshold(YOUNG, TOO_MANY, TOO_MANY)
    gc.enable()


def tidy(quiet: float) -> None:
    """After so many seconds without a key: the look that is worth while, so that there is none while somebody types."""
    _, young, middle = gc.get_count()
    if middle >= MANY and quiet > REST:
        gc.collect()
    elif young >= SOME and quiet > PAUSE:
        gc.collect(1)
