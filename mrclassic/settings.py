"""The owner's settings, typed: flags > environment > mrclassic.toml > defaults.

`night.minutes` is the same setting in all places: `[night] minutes = 60` in the file, `MRCLASSIC_NIGHT_MINUTES=60` in
the environment, `{"night.minutes": 60}` from a flag. A wrong one names its place, its line and the nearest valid key.
"""

from __future__ import annotations

import difflib
import json
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from mrclassic import files
from mrclassic.errors import MrClassicError, UsageError
from mrclassic.home import VARIABLE, Home

PREFIX = "MRCLASSIC_"
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def _device(value: str) -> str:
    if not re.fullmatch(r"auto|cpu|mps|cuda(:\d+)?", value):
        raise ValueError("use auto, cpu, cuda, cuda:N or mps")
    return value


def _clock(value: str) -> str:
    if not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", value):
        raise ValueError('use a time of day such as "04:30"')
    return value


def _days(value: str) -> str:
    for part in value.split(","):
        ends = part.strip().split("-")
        if len(ends) > 2 or any(end not in _DAYS for end in ends):
            raise ValueError('use day names such as "mon-sun" or "mon,wed,fri"')
    return value


def _exceptions(value: str) -> str:
    for part in filter(str.strip, value.split(";")):
        words = part.split()
        try:
            days, start, minutes = "".join(words[:-2]), words[-2], float(words[-1])
            valid = _days(days) and _clock(start) and 0 <= minutes < 1440
        except (ValueError, IndexError):
            valid = False
        if not valid:
            raise ValueError('use days, a time and minutes such as "sat,sun 02:00 240; wed 04:30 0"')
    return value


def _timezone(value: str | None) -> str | None:
    if value is not None:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError('use a name such as "Europe/Berlin"') from None
    return value


def _url(value: str) -> str:
    if value and not re.fullmatch(r"https?://[^\s/]\S*", value):
        raise ValueError("use an address that begins with https:// or http://")
    return value


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Chat(_Section):
    """How replies are drawn."""

    candidates: int = Field(default=5, ge=1, le=9, description="Replies drawn for one message; a digit picks one.")
    temperature: float | None = Field(
        default=None,
        ge=0,
        le=5,
        examples=[0.7],
        description="0 is greedy; higher is more varied. Not set: as the makers of an imported model advise, else 0.7.",
    )
    top_p: float | None = Field(
        default=None,
        gt=0,
        le=1,
        examples=[1.0],
        description="Draw from the likeliest tokens of this total probability. Not set: as advised, else 1.",
    )
    top_k: int | None = Field(
        default=None,
        ge=0,
        examples=[0],
        description="Draw from this many likeliest tokens; 0 is all. Not set: as advised, else 0.",
    )
    max_tokens: int = Field(default=96, ge=1, description="A reply ends here at the latest.")


class Mind(_Section):
    """The process that holds the running model."""

    idle_minutes: float = Field(
        default=20.0, gt=0, description="After this long without a request it gives its memory back."
    )
    slots: int = Field(default=16, ge=1, description="Replies generated at the same time.")


class Night(_Section):
    """When and how long Mr. Classic practises by itself."""

    enabled: bool = Field(default=True, description="Whether the daemon starts nights.")
    start: Annotated[str, AfterValidator(_clock)] = Field(default="04:30", description="Local time of day.")
    days: Annotated[str, AfterValidator(_days)] = Field(
        default="mon-sun", description='Such as "mon-sun" or "mon,wed,fri".'
    )
    minutes: float = Field(default=60.0, gt=0, description="The budget of one night.")
    timezone: Annotated[str | None, AfterValidator(_timezone)] = Field(
        default=None, examples=["Europe/Berlin"], description='Such as "Europe/Berlin"; not set: that of the machine.'
    )
    misfire_hours: float = Field(
        default=3.0, ge=0, description="A night missed or cut short still starts or goes on so late."
    )
    exceptions: Annotated[str, AfterValidator(_exceptions)] = Field(
        default="", description='Days with a start and minutes of their own: "sat,sun 02:00 240; wed 04:30 0".'
    )
    idle_minutes: float = Field(
        default=10.0, gt=0, description="A night waits until nobody has asked the model anything for so long."
    )
    nice: int = Field(default=10, ge=0, le=19, description="So much a night gives way to other programs.")
    price_per_hour: float = Field(
        default=0.0, ge=0, description="What an hour of this machine costs, in your money; 0: nothing is said of it."
    )
    silent_minutes: float = Field(
        default=20.0, gt=0, description="A night without a sign of life for so long is ended and begun again."
    )


class Book(_Section):
    """How the book is trained."""

    epochs: int = Field(default=16, ge=1, description="Passes over the book; new entries come four times as often.")
    learning_rate: float = Field(default=7e-4, gt=0, le=1, description="The highest rate of the schedule.")
    batch: int = Field(default=64, ge=1, description="Entries an update; below 32 a small model forgets.")


class Lesson(_Section):
    """How a few new entries of the book are learned at once."""

    automatic: bool = Field(default=False, description="Whether the app gives a lesson by itself.")
    after: int = Field(default=5, ge=1, description="So many picks wait before it does.")
    batch: int = Field(default=64, ge=32, le=256, description="Entries an update, old ones among the new.")
    learning_rate: float = Field(default=1e-3, gt=0, le=1, description="The highest rate of the schedule.")


class Training(_Section):
    """How a model of any size is made to fit the device."""

    lora: int = Field(default=0, ge=0, le=1024, description="Rank of adapters; 0 trains all weights.")
    lora_targets: str = Field(
        default="q,k,v,o,gate,up,down", min_length=1, description="The projections that get adapters."
    )
    checkpoint_activations: bool = Field(
        default=False, description="Compute layers again in the backward pass: less memory, a third more time."
    )
    optimizer_state: Literal["full", "8bit", "factored"] = Field(
        default="full", description="full, 8bit (needs torchao) or factored."
    )


class Practice(_Section):
    """How a night practises what can be checked."""

    tasks: str = Field(
        default="arithmetic", min_length=1, description="What is practised: NAME[:LEVEL], separated by commas."
    )
    curriculum: str = Field(
        default="bandit",
        min_length=1,
        description="What comes next: bandit, uniform, staged, learning_progress, thompson, exp3, prioritized_replay "
        "or a plugin.",
    )
    rewards: str = Field(default="correct", min_length=1, description="NAME[=WEIGHT], separated by commas.")
    prompts: int = Field(default=16, ge=1, description="Questions an update.")
    group: int = Field(default=16, ge=2, le=64, description="Answers to each question.")
    learning_rate: float = Field(default=1e-4, gt=0, le=1, description="Ten times this ruins a small model.")
    replay: int = Field(default=48, ge=0, description="Book entries replayed in each update; 0 forgets the book.")
    beta: float = Field(default=0.005, ge=0, description="Weight of the distance to where the run began.")
    selfplay: float = Field(default=0.35, ge=0, le=1, description="Share of the time for questions of its own.")
    selfplay_fixed: float = Field(
        default=0.4, ge=0, le=0.9, description="Share of the generators' items beside questions of its own."
    )
    selfplay_form: Literal["edge", "zero_sum"] = Field(
        default="edge",
        description="What a question of its own is worth: edge, most if half of the answers are right; zero_sum, "
        "whatever is answered wrong (to compare with: it collapses).",
    )


class Gate(_Section):
    """What a new checkpoint must show before it is used."""

    margin: float = Field(default=0.03, ge=0, le=1, description="How much of a guarded score may be lost at most.")
    confidence: float = Field(default=0.95, gt=0.5, lt=1, description="Of the intervals that decide.")


class Notify(_Section):
    """How the owner hears of a night that is over."""

    desktop: bool = Field(default=False, description="A notification on the desktop.")
    webhook: Annotated[str, AfterValidator(_url)] = Field(
        default="", description='An address that is sent the facts as JSON, such as "https://example.org/night".'
    )


class Ui(_Section):
    """The terminal app."""

    theme: str = Field(default="classic-dark", min_length=1, description="The app's colours.")


class Settings(_Section):
    """All settings."""

    device: Annotated[str, AfterValidator(_device)] = Field(
        default="auto", description="auto, cpu, cuda, cuda:N or mps."
    )
    dtype: Literal["auto", "fp32", "bf16"] = Field(default="auto", description="auto, fp32 or bf16.")
    threads: int | None = Field(
        default=None, ge=1, examples=[4], description="CPU threads for computing; not set: as many as cores."
    )
    chat: Chat = Chat()
    mind: Mind = Mind()
    night: Night = Night()
    book: Book = Book()
    lesson: Lesson = Lesson()
    training: Training = Training()
    practice: Practice = Practice()
    gate: Gate = Gate()
    notify: Notify = Notify()
    ui: Ui = Ui()
    keys: dict[str, str] = Field(default={}, description="Key bindings of the app: binding = key.")


def _sections() -> dict[str, type[BaseModel]]:
    return {
        name: field.annotation
        for name, field in Settings.model_fields.items()
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)
    }


def valid_keys() -> list[str]:
    """Every setting by its dotted name, in the order of the template (`keys` as a whole)."""
    names = []
    for name in Settings.model_fields:
        section = _sections().get(name)
        names += [name] if section is None else [f"{name}.{key}" for key in section.model_fields]
    return names


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
        raise _wrong(origin.get(key) or origin.get(key.split(".")[0], str(path)), key, first) from error


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
        if isinstance(value, dict) and not prefix and name in _sections():
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
            raise _wrong(f"${variable}", key, error.errors(include_url=False)[0]) from error


def _adapter(key: str) -> TypeAdapter[Any]:
    section, _, name = key.rpartition(".")
    field = (_sections()[section] if section else Settings).model_fields[name]
    annotation: Any = Annotated[field.annotation, field]
    return TypeAdapter(annotation)


def _variable(key: str) -> str:
    return PREFIX + key.replace(".", "_").upper()


def _set(merged: dict[str, Any], origin: dict[str, str], key: str, value: object, where: str) -> None:
    """Put one value into the nested dictionary; a key that is not a setting is told at once, with its place."""
    if key in _sections():
        raise UsageError(f"{where}: {key} is a table, not a value; write [{key}] and its settings below it.")
    if key not in valid_keys():
        raise UsageError(f"{where}: there is no setting {key}; {_nearest(key)}")
    origin[key] = where
    section, _, name = key.rpartition(".")
    (merged.setdefault(section, {}) if section else merged)[name] = value


def _nearest(key: str) -> str:
    """What was probably meant: a like name in the same section, the same name in another, else any like key."""
    keys, sections = valid_keys(), list(_sections())
    section, _, name = key.rpartition(".")
    inside = {item.rpartition(".")[2]: item for item in keys if item.rpartition(".")[0] == section}
    near = [inside[like] for like in difflib.get_close_matches(name, inside, n=1)]
    near = near or [item for item in keys if item.rpartition(".")[2] == name]
    if not near and section not in sections:
        near = difflib.get_close_matches(key, [*keys, *sections], n=1)
    if near:
        return f"did you mean {near[0]}?"
    return f"use one of {', '.join(inside.values() if section in sections else [*sections, *inside])}."


def _wrong(where: str, key: str, error: Any) -> UsageError:
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


def template() -> str:
    """A settings file with every key, its meaning and its default, all commented out."""
    lines = [
        "# The settings of Mr. Classic. Every line shows its default; take the # away to change one.",
        "# A flag of a command or a variable such as MRCLASSIC_NIGHT_MINUTES goes before this file.",
        "",
    ]
    sections = _sections()
    for name, field in Settings.model_fields.items():
        if name not in sections and name != "keys":
            lines.append(_template_line(name, field))
    for name, section in sections.items():
        lines += ["", f"[{name}]  # {section.__doc__}"]
        for key, field in section.model_fields.items():
            lines.append(_template_line(key, field))
    lines += ["", f"[keys]  # {Settings.model_fields['keys'].description}", '# "candidates.edit" = "e"']
    return "\n".join(lines) + "\n"


def _template_line(key: str, field: FieldInfo) -> str:
    # TOML has no word for "not set": such a setting shows an example instead of its default.
    shown = (field.examples or [None])[0] if field.default is None else field.default
    return f"# {key} = {json.dumps(shown)}  # {field.description}"


def write_template(home: Home) -> bool:
    """Write the template where there is no settings file yet; return whether it was written."""
    if home.settings_file.exists():
        return False
    try:
        files.replace(home.settings_file, template().encode())  # half of one would be no TOML after a power cut
    except OSError as error:
        raise MrClassicError(f"Cannot write {home.settings_file}: {error.strerror or error}.") from error
    return True
