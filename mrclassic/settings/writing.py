"""A settings file to begin with: every setting, its meaning and its default."""

from __future__ import annotations

import json

from pydantic.fields import FieldInfo

from mrclassic import files
from mrclassic.errors import MrClassicError
from mrclassic.home import Home
from mrclassic.settings.sections import Settings, sections


def template() -> str:
    """A settings file with every key, its meaning and its default, all commented out."""
    lines = [
        "# The settings of Mr. Classic. Every line shows its default; take the # away to change one.",
        "# A flag of a command or a variable such as MRCLASSIC_NIGHT_MINUTES goes before this file.",
        "",
    ]
    tables = sections()
    for name, field in Settings.model_fields.items():
        if name not in tables and name != "keys":
            lines.append(_template_line(name, field))
    for name, section in tables.items():
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
