"""What can be set: a section a class, a setting a field with its default, its bounds and its meaning."""

from __future__ import annotations

import re
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from mrclassic.bounds import LONGEST, SHORTEST

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
            valid = _days(days) and _clock(start) and (minutes == 0 or SHORTEST <= minutes < 1440)
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
    minutes: float = Field(default=60.0, ge=SHORTEST, le=LONGEST, description="The budget of one night.")
    timezone: Annotated[str | None, AfterValidator(_timezone)] = Field(
        default=None, examples=["Europe/Berlin"], description='Such as "Europe/Berlin"; not set: that of the machine.'
    )
    misfire_hours: float = Field(
        default=3.0, ge=0, le=168, description="A night missed or cut short still starts or goes on so late."
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


class Taste(_Section):
    """What a night makes of your picks and ratings: shares of its practice, each used where the evidence carries it."""

    practice: float = Field(
        default=0.15, ge=0, le=0.3, description="For replies by your learned taste, once it may be a reward; 0: none."
    )
    dpo: float = Field(default=0.1, ge=0, le=0.3, description="For your picks themselves, in pairs; 0: none.")
    ratings: float = Field(default=0.1, ge=0, le=0.3, description="For conversations that you rated; 0: none.")
    beta: float = Field(
        default=0.05, gt=0, description="Weight of the distance to where the run began, in practice by taste."
    )


class Gate(_Section):
    """What a new checkpoint must show before it is used."""

    margin: float = Field(default=0.03, ge=0, le=1, description="How much of a guarded score may be lost at most.")
    confidence: float = Field(default=0.95, gt=0.5, lt=1, description="Of the intervals that decide.")


class Notify(_Section):
    """How the owner hears of a night that is over, and of answers that are ready while he is looking elsewhere."""

    desktop: bool = Field(default=False, description="A notification on the desktop; in the app also the bell.")
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
    taste: Taste = Taste()
    gate: Gate = Gate()
    notify: Notify = Notify()
    ui: Ui = Ui()
    keys: dict[str, str] = Field(default={}, description="Key bindings of the app: binding = key.")


def sections() -> dict[str, type[BaseModel]]:
    """The sections by name."""
    return {
        name: field.annotation
        for name, field in Settings.model_fields.items()
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)
    }


def valid_keys() -> list[str]:
    """Every setting by its dotted name, in the order of the template (`keys` as a whole)."""
    names = []
    for name in Settings.model_fields:
        section = sections().get(name)
        names += [name] if section is None else [f"{name}.{key}" for key in section.model_fields]
    return names
