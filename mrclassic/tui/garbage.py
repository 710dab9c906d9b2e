"""Python's collector, kept from holding up a key.

It looks at every object again and again, and the app's modules alone are so many that a full look takes a tenth of a
second. What stands when the app has opened, stands until it closes: it is set aside, and from then on the collector
looks only at what came after, and in full only in a pause. So nothing that is let go of later is kept.
"""

from __future__ import annotations

import gc

YOUNG = 4000
"""Objects made between two looks at the youngest, which then take a millisecond."""
MIDDLE = 10
"""Such looks between two at those of middle age."""
ENOUGH, TOO_MANY = 3, 50
"""Looks at those of middle age after which a full one is worth while in a pause, and after which it does not wait."""
PAUSE = 0.5
"""Seconds without a key that are one."""


def wait() -> None:
    """No looking until `set_aside`: what an app makes while it starts is there to stay."""
    gc.disable()


def set_aside() -> None:
    """Leave alone what there is now; for few, chosen moments, as a circle among these objects is never freed."""
    gc.freeze()
    gc.set_threshold(YOUNG, MIDDLE, TOO_MANY)
    gc.enable()


def tidy() -> None:
    """A full look in a pause, if one is worth while, so that there is none while somebody types."""
    if gc.get_count()[2] >= ENOUGH:
        gc.collect()
