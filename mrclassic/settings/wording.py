"""What is said of a setting that does not do."""

from __future__ import annotations

import difflib
import re
from typing import Any

from mrclassic.errors import UsageError
from mrclassic.settings.sections import sections, valid_keys


def nearest(key: str) -> str:
    """What was probably meant: a like name in the same section, the same name in another, else any like key."""
    keys, tables = valid_keys(), list(sections())
    section, _, name = key.rpartition(".")
    inside = {item.rpartition(".")[2]: item for item in keys if item.rpartition(".")[0] == section}
    near = [inside[like] for like in difflib.get_close_matches(name, inside, n=1)]
    near = near or [item for item in keys if item.rpartition(".")[2] == name]
    if not near and section not in tables:
        near = difflib.get_close_matches(key, [*keys, *tables], n=1)
    if near:
        return f"did you mean {near[0]}?"
    return f"use one of {', '.join(inside.values() if section in tables else [*tables, *inside])}."


def wrong(where: str, key: str, error: Any) -> UsageError:
    """A value of the wrong type or range: say what it is and what it should be."""
    if error["type"] == "value_error":
        wish = str(error["ctx"]["error"])
    else:
        wish = re.sub(r"^Input should be ", "it should be ", str(error["msg"])).replace("'", '"')
        wish = (
            wish.replace("a valid dictionary", "a table").replace("a valid ", "a ").replace("a integer", "an integer")
        )
        wish = wish.split(",")[0] if error["type"].endswith("_parsing") else wish
    shown = "a table" if isinstance(error["input"], dict) else repr(error["input"]).replace("'", '"')
    return UsageError(f"{where}: {key} = {shown} does not do; {wish}.")
