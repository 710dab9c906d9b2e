"""A page that is read from the store: what is asked of it meanwhile is done once there is something to do it to."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, wraps
from typing import Concatenate, ParamSpec, TypeVar


class Arriving:
    """Beside `Screen`, in the bases of a page; the page says `arrive` when its first content is shown."""

    arrived = False
    _asked: tuple[Callable[[], object], ...] = ()

    def when_arrived(self, what: Callable[[], object]) -> None:
        """Do it now, or as soon as the page is there, in the order in which it was asked for."""
        if self.arrived:
            what()
        else:
            self._asked = (*self._asked, what)

    def arrive(self) -> None:
        """The page is there."""
        self.arrived, asked, self._asked = True, self._asked, ()
        for what in asked:
            what()


Page = TypeVar("Page", bound=Arriving)
Given = ParamSpec("Given")


def on_arrival(action: Callable[Concatenate[Page, Given], object]) -> Callable[Concatenate[Page, Given], None]:
    """A key's action that waits for its page."""

    @wraps(action)
    def later(self: Page, /, *args: Given.args, **kwargs: Given.kwargs) -> None:
        self.when_arrived(partial(action, self, *args, **kwargs))

    return later
