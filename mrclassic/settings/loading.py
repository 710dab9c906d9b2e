"""Settings from the file, the environment and flags, each value with the place that it stands in."""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import TypeAdapter, ValidationError

from mrclassic.errors import MrClassicError, UsageError
from mrclassic.home import VARIABLE, Home
from mrclassic.settings.sections import Settings, sections, valid_keys
from mrclassic.settings.wording import nearest, wrong

PREFIX = "MRCLASSIC_"


def load(home: Home, overrides: Mapping[str, object] | None = None, file: Path | None = None) -> Settings:
    """The settings of `home`, with `overrides` (dotted names from flags; None is not given) above everything else;
    from `file` instead of the home's where that is given.

    Raises UsageError for an unknown key, a wrong type or value, broken TOML or a wrong environment variable.
    """
    path = file or home.settings_file
    text, data = _file(path)
    merged: dict[str, Any] = {}
    origin: dict[str, str] = {}
    for key, value in _leaves(data):
        where = f"{path} line {_line_of(key, text)}"
        _set(merged, origin, key, value, where)
    for key, value in _environment():
        _set(merged, origin, key, value, f"${_variable(key)}")
    for key, value in (overrides or {}).items():
        if value is not None:
            _set(merged, origin, key, value, "the command line")
    try:
        return Settings.model_validate(merged, strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        raise wrong(origin.get(key) or origin.get(key.split(".")[0], str(path)), key, first) from error


def _file(path: Path) -> tuple[str, dict[str, Any]]:
    try:
        text = path.read_bytes().decode("utf-8-sig")
        return text, tomllib.loads(text)
    except FileNotFoundError:
        return "", {}
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: not UTF-8 text; save the file as UTF-8.") from error
    except OSError as error:
        raise MrClassicError(f"Cannot read the settings {path}: {error.strerror or error}.") from error
    except tomllib.TOMLDecodeError as error:
        found = re.search(r" \(at line (\d+), column \d+\)$", str(error))
        line = found[1] if found else str(text.count("\n") + 1)
        what = str(error)[: found.start()] if found else str(error).removesuffix(" (at end of document)")
        raise UsageError(f"{path} line {line}: not valid TOML ({what.lower()}); mend that line.") from error


def _leaves(data: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, object]]:
    """Dotted keys and their values; the bindings under `keys` may hold dots themselves and stay one value each."""
    for name, value in data.items():
        if isinstance(value, dict) and not prefix and name in sections():
            yield from _leaves(value, f"{name}.")
        else:
            yield prefix + name, value


def _environment() -> Iterator[tuple[str, object]]:
    names = {_variable(key): key for key in valid_keys() if key != "keys"}
    for variable, text in sorted(os.environ.items()):
        if not variable.startswith(PREFIX) or variable == VARIABLE or not text:
            continue
        if variable not in names:
            near = difflib.get_close_matches(variable, names, n=1)
            hint = f"did you mean {near[0]}?" if near else "unset it."
            raise UsageError(f"The environment variable {variable} is not a setting; {hint}")
        key = names[variable]
        try:
            # Text is all that an environment holds, so here (only here) "60" is a number.
            yield key, _adapter(key).validate_python(text)
        except ValidationError as error:
            raise wrong(f"${variable}", key, error.errors(include_url=False)[0]) from error


def _adapter(key: str) -> TypeAdapter[Any]:
    section, _, name = key.rpartition(".")
    field = (sections()[section] if section else Settings).model_fields[name]
    annotation: Any = Annotated[field.annotation, field]
    return TypeAdapter(annotation)


def _variable(key: str) -> str:
    return PREFIX + key.replace(".", "_").upper()


def _set(merged: dict[str, Any], origin: dict[str, str], key: str, value: object, where: str) -> None:
    """Put one value into the nested dictionary; a key that is not a setting is told at once, with its place."""
    if key in sections():
        raise UsageError(f"{where}: {key} is a table, not a value; write [{key}] and its settings below it.")
    if key not in valid_keys():
        raise UsageError(f"{where}: there is no setting {key}; {nearest(key)}")
    origin[key] = where
    section, _, name = key.rpartition(".")
    (merged.setdefault(section, {}) if section else merged)[name] = value


def _line_of(key: str, text: str) -> int:
    """The line (from 1) where a TOML text sets `key`; the line of its table where the key stands inside braces."""
    table, best, reach = "", 1, 0
    for number, line in enumerate(text.split("\n"), start=1):
        if header := re.match(r"\s*\[\[?([^\]]+)\]", line):
            table = full = re.sub(r"[\"'\s]", "", header[1])
        elif pair := re.match(r"\s*([\w.\-\"' ]+?)\s*=", line):
            name = re.sub(r"[\"'\s]", "", pair[1])
            full = f"{table}.{name}" if table else name
        else:
            continue
        if full == key:
            return number
        if key.startswith(full + ".") and len(full) > reach:
            best, reach = number, len(full)
    return best
