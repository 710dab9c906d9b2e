"""Settings: precedence, and errors that name place, line, key and the nearest valid key."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib

import pytest

from mrclassic.errors import UsageError
from mrclassic.home import Home
from mrclassic.settings import Settings, load, template, valid_keys, write_template


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    for name in [name for name in os.environ if name.startswith("MRCLASSIC_")]:
        monkeypatch.delenv(name)


def test_without_a_file_the_defaults_hold(home: Home) -> None:
    settings = load(home)
    assert settings == Settings()
    assert settings.chat.candidates == 5
    assert settings.night.start == "04:30"
    assert settings.threads is None


def test_flags_before_environment_before_file(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    home.settings_file.write_text('device = "cpu"\n[night]\nminutes = 10\nstart = "05:00"\n')
    assert load(home).night.minutes == 10.0
    assert load(home).device == "cpu"
    monkeypatch.setenv("MRCLASSIC_NIGHT_MINUTES", "20")
    monkeypatch.setenv("MRCLASSIC_CHAT_TOP_P", "0.5")
    monkeypatch.setenv("MRCLASSIC_THREADS", "2")
    monkeypatch.setenv("MRCLASSIC_NIGHT_ENABLED", "false")
    settings = load(home, {"night.minutes": 30.5, "chat.candidates": None})
    assert settings.night.minutes == 30.5
    assert load(home).night.minutes == 20.0
    assert settings.night.start == "05:00"
    assert settings.chat.top_p == 0.5
    assert settings.threads == 2
    assert settings.night.enabled is False


def test_an_empty_variable_and_the_home_variable_are_not_settings(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MRCLASSIC_HOME", "/somewhere")
    monkeypatch.setenv("MRCLASSIC_DEVICE", "")
    assert load(home) == Settings()


def test_settings_are_frozen(home: Home) -> None:
    with pytest.raises(ValueError, match="frozen"):
        load(home).chat.candidates = 3


def test_key_bindings_may_hold_dots(home: Home) -> None:
    home.settings_file.write_text('[keys]\n"candidates.edit" = "e"\n')
    assert load(home).keys == {"candidates.edit": "e"}


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("[night]\n\nminuts = 3", 3, r"no setting night\.minuts; did you mean night\.minutes\?"),
        ("[nihgt]\nminutes = 3", 1, r"no setting nihgt; did you mean night\?"),
        ("# x\nminutes = 3", 2, r"did you mean night\.minutes\?"),
        ("night.minuts = 3", 1, r"did you mean night\.minutes\?"),
        ("\nnight = { minuts = 3 }", 2, r"did you mean night\.minutes\?"),
        ("[chat]\nqqqq = 1", 2, r"use one of chat\.candidates, chat\.temperature"),
        ("\nqqqq = 1", 2, r"use one of chat, mind, night"),
        ('[night]\nminutes = "x"', 2, r'night\.minutes = "x" does not do; it should be a number'),
        ('[night]\nminutes = "60"', 2, r"should be a number"),
        ("[night]\nminutes = nan", 2, r"finite number"),
        ("[chat]\n candidates = 12", 2, r"less than or equal to 9"),
        ("[chat]\ncandidates = true", 2, r"integer"),
        ('device = "gpu"', 1, r"use auto, cpu, cuda, cuda:N or mps"),
        ('dtype = "fp16"', 1, r'"auto", "fp32" or "bf16"'),
        ('[night]\nstart = "25:00"', 2, r'such as "04:30"'),
        ('[night]\ndays = "monday"', 2, r'such as "mon-sun"'),
        ('[night]\ntimezone = "Mars/Olympus"', 2, r'such as "Europe/Berlin"'),
        ("night = 3", 1, r"night is a table"),
        ("[keys]\na.b = 1", 1, r"keys\.a"),
        ("device = = 1", 1, r"not valid TOML"),
        ('\n\nx = """abc', 3, r"not valid TOML"),
    ],
)
def test_a_wrong_file_names_line_key_and_remedy(home: Home, text: str, line: int, said: str) -> None:
    home.settings_file.write_text(text)
    with pytest.raises(UsageError, match=said) as caught:
        load(home)
    assert str(caught.value).startswith(f"{home.settings_file} line {line}: ")
    assert "\n" not in str(caught.value)


def test_a_wrong_variable_is_named(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MRCLASSIC_NIGHT_MINUTES", "soon")
    with pytest.raises(UsageError, match=r'^\$MRCLASSIC_NIGHT_MINUTES: night\.minutes = "soon" does not do; .*number'):
        load(home)
    monkeypatch.setenv("MRCLASSIC_NIGHT_MINUTES", "-1")
    with pytest.raises(UsageError, match=r"greater than or equal to 0\.2"):
        load(home)
    monkeypatch.delenv("MRCLASSIC_NIGHT_MINUTES")
    monkeypatch.setenv("MRCLASSIC_NIHGT_MINUTES", "1")
    with pytest.raises(UsageError, match=r"did you mean MRCLASSIC_NIGHT_MINUTES\?"):
        load(home)


def test_a_wrong_flag_is_named(home: Home) -> None:
    with pytest.raises(UsageError, match=r"^the command line: chat\.candidates = 0"):
        load(home, {"chat.candidates": 0})


def test_a_file_that_is_no_text_is_one_sentence(home: Home) -> None:
    home.settings_file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match="UTF-8"):
        load(home)


def test_a_byte_order_mark_is_no_mistake(home: Home) -> None:
    home.settings_file.write_bytes(b"\xef\xbb\xbfthreads = 2\n")
    assert load(home).threads == 2


def test_the_template_holds_every_key_and_its_default(home: Home) -> None:
    assert tomllib.loads(template()) == {name: {} for name in tomllib.loads(template())}
    live = re.sub(r"(?m)^# (?=\S+ = )", "", template())
    given = tomllib.loads(live)
    flat = {
        f"{name}.{key}" if isinstance(value, dict) else name
        for name, value in given.items()
        for key in (value if isinstance(value, dict) else [""])
    }
    assert flat == {*valid_keys(), "keys.candidates.edit"} - {"keys"}
    home.settings_file.write_text(live)
    filled, plain = load(home).model_dump(), Settings().model_dump()
    # What is not set by default shows an example.
    for name, value in plain.items():
        for key in value if isinstance(value, dict) else ():
            filled[name][key] = None if value[key] is None else filled[name][key]
    assert filled | {"keys": {}, "threads": None} == plain


def test_the_template_is_written_once(home: Home) -> None:
    assert write_template(home) is True
    assert load(home) == Settings()
    home.settings_file.write_text("threads = 2\n")
    assert write_template(home) is False
    assert load(home).threads == 2


def test_home_book_and_store_do_without_pydantic_and_torch() -> None:
    code = (
        "import sys, mrclassic.home, mrclassic.book, mrclassic.store, mrclassic.store.curation;"
        "print({'pydantic', 'torch', 'sqlite_utils', 'numpy'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
