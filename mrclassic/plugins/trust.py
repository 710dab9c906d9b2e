"""Trust: a drop-in runs only with exactly the content that its owner has seen and approved."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from mrclassic.errors import Refused, UsageError
from mrclassic.home import Home
from mrclassic.plugins.files import File, read
from mrclassic.plugins.find import Plugin, found
from mrclassic.store import Store

if TYPE_CHECKING:
    from mrclassic.store.trust import Trusted

Standing = Literal["built in", "trusted", "changed", "not trusted", "flawed"]


def standing(plugin: Plugin, store: Store) -> Standing:
    """Whether `plugin` may run; `changed` is what was trusted with another content."""
    if plugin.flaw:
        return "flawed"
    if plugin.origin != "home" or plugin.file is None:
        return "built in"
    path = _key(plugin.file.path)
    if store.trust.trusted(path, plugin.file.sha256):
        return "trusted"
    return "changed" if store.trust.get(path) else "not trusted"


def usable(home: Home, store: Store) -> list[Plugin]:
    """The plugins that may run."""
    return [plugin for plugin in found(home) if standing(plugin, store) in ("built in", "trusted")]


def candidate(home: Home, named: str) -> File:
    """The drop-in called `named`, by its plugin's name or its path, as it is now; raises Refused or UsageError."""
    path = path_of(home, named)
    if path.parent.resolve() != home.plugins.resolve():
        raise Refused(f"{path} is not in {home.plugins}; only files there can be trusted, so copy it there first.")
    if not path.exists() and not path.is_symlink():
        raise UsageError(f"There is no plugin {named} in {home.plugins}; `mrclassic plugin list` shows what there is.")
    return read(path, guarded=True)


def path_of(home: Home, named: str) -> Path:
    """The place that `named` means: a path as it is, else the drop-in that holds the plugin of that name."""
    if "/" in named or (named.endswith(".py") and Path(named).exists()):
        return Path(named).absolute()
    drop_ins = (
        plugin.file.path for plugin in found(home) if plugin.file and (plugin.origin, plugin.name) == ("home", named)
    )
    return next(drop_ins, home.plugins / f"{named.removesuffix('.py')}.py")


def approve(store: Store, file: File) -> str:
    """Trust `file` with the content that was read; return its hash."""
    return store.trust.add(file.path.stem, _key(file.path), file.text)


def approval(store: Store, file: File) -> Trusted | None:
    """The approval of the file at that place, if it is trusted, whatever it says by now."""
    return store.trust.get(_key(file.path))


def approved(store: Store, file: File) -> str | None:
    """The content with which the file at that place is trusted, if it is."""
    known = approval(store, file)
    return None if known is None else known.content


def revoke(home: Home, store: Store, named: str) -> Path:
    """End the trust in the drop-in called `named`, whether or not its file still exists; raises UsageError if none."""
    path = path_of(home, named)
    if not store.trust.revoke(_key(path)):
        raise UsageError(f"{path} is not trusted; there is nothing to revoke.")
    return path


def _key(path: Path) -> str:
    """One name for the place, whichever way leads there."""
    return str(path.parent.resolve() / path.name)
