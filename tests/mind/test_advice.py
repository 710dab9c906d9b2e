"""How replies are drawn where nobody says: as the makers of the model advise."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mrclassic.mind.advice import Sampling, sampling
from mrclassic.mind.parameters import Defaults, read_request

ADVICE = {"do_sample": True, "temperature": 0.6, "top_p": 0.8, "top_k": 20}


def drawn(generation: dict[str, Any], defaults: Defaults | None = None, **wishes: object) -> Sampling:
    body = {"messages": [{"role": "user", "content": "Hello."}], **wishes}
    return sampling(read_request(json.dumps(body).encode(), defaults or Defaults()), generation)


def test_the_request_goes_before_the_settings_and_those_before_the_makers() -> None:
    assert drawn({}) == Sampling(0.7, 1.0, 0)
    assert drawn(ADVICE) == Sampling(0.6, 0.8, 20)
    assert drawn(ADVICE, Defaults(temperature=1.1, top_k=0)) == Sampling(1.1, 0.8, 0)
    assert drawn(ADVICE, Defaults(temperature=1.1), temperature=0, top_p=1) == Sampling(0.0, 1.0, 20)


@pytest.mark.parametrize("odd", [None, "0.5", True, -1, 99, float("nan"), [0.5]])
def test_advice_that_makes_no_sense_is_none(odd: object) -> None:
    assert drawn({"temperature": odd, "top_p": odd}) == Sampling()


def test_greedy_advice_is_not_followed() -> None:
    assert drawn({"do_sample": False, "temperature": 0.0}) == Sampling()
