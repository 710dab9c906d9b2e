"""What plugins there are. A file is read, never run, to find out: nothing runs before its owner trusts it.

A drop-in `NAME.py` in the home's `plugins/` (or one of the examples that travel with the program) offers

- rewards: each function or class marked with `@reward`, and the one that is called NAME;
- a task called NAME, if it defines `task(folder)`, where `folder` is the home's `tasks/NAME` or None;
- a curriculum called NAME, if it defines `curriculum(arms, success)`.

An installed package offers them as entry points in the groups `mrclassic.rewards`, `mrclassic.tasks` and
`mrclassic.curricula`. Who installs a package has trusted it; it runs when its plugin is asked for by name.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, Literal

from mrclassic import shipped
from mrclassic.errors import MrClassicError
from mrclassic.home import Home
from mrclassic.plugins.files import File, read

Kind = Literal["reward", "task", "curriculum"]
Origin = Literal["shipped", "package", "home"]

GROUPS: Mapping[str, Kind] = {
    "mrclassic.rewards": "reward",
    "mrclassic.tasks": "task",
    "mrclassic.curricula": "curriculum",
}
_NAME = re.compile(r"[A-Za-z_][\w-]*")  # no "=" or ":", which mean something in `format=0.1` and `gsm8k:1`


@dataclass(frozen=True)
class Plugin:
    """One reward, task or curriculum. `attribute` is its name within `file`, or the `module:attribute` of a package;
    `flaw` says why it cannot be used, and is empty where it can."""

    name: str
    kind: Kind
    origin: Origin
    attribute: str
    file: File | None = None
    about: str = ""
    flaw: str = ""

    @property
    def source(self) -> dict[str, str]:
        """What a worker needs to load exactly this."""
        if self.file is None:
            return {"attribute": self.attribute}
        return {"attribute": self.attribute, "path": str(self.file.path), "sha256": self.file.sha256}


def found(home: Home) -> list[Plugin]:
    """All plugins, the flawed ones too: those that travel with the program, of installed packages, of this home."""
    every = [plugin for path in _files(shipped.folder("plugins")) for plugin in in_file(path, "shipped")]
    for group, kind in GROUPS.items():
        every += [_of_package(point, kind) for point in sorted(entry_points(group=group), key=lambda each: each.name)]
    return every + [plugin for path in _files(home.plugins) for plugin in in_file(path, "home")]


def in_file(path: Path, origin: Origin, folder: Path | None = None) -> list[Plugin]:
    """The plugins of a file, which for a drop-in has to be safe from others; one flawed plugin where there are none."""
    file: File | None = None
    try:
        file = read(path, guarded=origin == "home")
        tree = ast.parse(file.text, str(path))
    except (MrClassicError, SyntaxError, ValueError, RecursionError, MemoryError) as error:
        return [Plugin(path.stem, "reward", origin, path.stem, file, flaw=_why(error, path))]
    about = _first_line(ast.get_docstring(tree))
    plugins = []
    for attribute, node in _definitions(tree):
        mark = _mark(node)
        if attribute in ("task", "curriculum") and mark is None and isinstance(node, ast.FunctionDef):
            kind: Kind = "task" if attribute == "task" else "curriculum"
            plugins.append(Plugin(path.stem, kind, origin, attribute, file, about))
        elif mark is not None or attribute == path.stem:
            name = (mark or {}).get("name") or attribute
            words = _first_line(ast.get_docstring(node)) if not isinstance(node, ast.Assign) else ""
            flaw = "" if _NAME.fullmatch(name) else f"{path.name} gives a reward the name {name!r}; use letters and _."
            plugins.append(Plugin(name, "reward", origin, attribute, file, about or words, flaw))
    if not plugins:
        flaw = (
            f"{path.name} defines no plugin: name its function {path.stem}, mark one with @reward, or define task or "
            "curriculum."
        )
        plugins.append(Plugin(path.stem, "reward", origin, path.stem, file, about, flaw))
    return plugins


def _files(folder: Path) -> list[Path]:
    """The plugin files of a folder: no tests, nothing private."""
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.glob("*.py") if not path.name.startswith(("_", ".", "test_", "conftest.")))


def _definitions(
    tree: ast.Module,
) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Assign]]:
    """What the module defines at its top level; of several of one name the last, as in Python."""
    latest: dict[str, Any] = {}
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            latest[node.name] = node
        elif isinstance(node, ast.Assign):
            latest.update((target.id, node) for target in node.targets if isinstance(target, ast.Name))
    yield from latest.items()


def _mark(node: ast.AST) -> dict[str, Any] | None:
    """What `@reward` says literally; None where the definition has no such mark."""
    for decorator in getattr(node, "decorator_list", []):
        called = decorator.func if isinstance(decorator, ast.Call) else decorator
        name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
        if name == "reward":
            keywords = decorator.keywords if isinstance(decorator, ast.Call) else []
            return {
                word.arg: word.value.value for word in keywords if word.arg and isinstance(word.value, ast.Constant)
            }
    return None


def _of_package(point: EntryPoint, kind: Kind) -> Plugin:
    who = f"of the package {point.dist.name}" if point.dist else "of a package"
    flaw = "" if _NAME.fullmatch(point.name) else f"The entry point {point.name!r} {who} is no name for a {kind}."
    return Plugin(point.name, kind, "package", point.value, about=who, flaw=flaw)


def _first_line(docstring: str | None) -> str:
    return (docstring or "").strip().partition("\n")[0].strip()


def _why(error: Exception, path: Path) -> str:
    if isinstance(error, SyntaxError):
        return f"{path.name} line {error.lineno} is not Python: {error.msg}."
    return str(error) if isinstance(error, MrClassicError) else f"{path.name} is not Python: {error}."
