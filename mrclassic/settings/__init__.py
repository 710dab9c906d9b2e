"""The owner's settings, typed: flags > environment > mrclassic.toml > defaults.

`night.minutes` is the same setting in all places: `[night] minutes = 60` in the file, `MRCLASSIC_NIGHT_MINUTES=60` in
the environment, `{"night.minutes": 60}` from a flag. A wrong one names its place, its line and the nearest valid key.
"""

from mrclassic.settings.loading import PREFIX, load
from mrclassic.settings.sections import (
    Book,
    Chat,
    Gate,
    Lesson,
    Mind,
    Night,
    Notify,
    Practice,
    Settings,
    Training,
    Ui,
    valid_keys,
)
from mrclassic.settings.writing import template, write_template

__all__ = [
    "PREFIX",
    "Book",
    "Chat",
    "Gate",
    "Lesson",
    "Mind",
    "Night",
    "Notify",
    "Practice",
    "Settings",
    "Training",
    "Ui",
    "load",
    "template",
    "valid_keys",
    "write_template",
]
