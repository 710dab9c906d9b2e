"""Requests are checked one by one, and refused in words that say what to mend."""

import json

import pytest

from mrclassic.mind.parameters import ApiError, ChatRequest, Defaults, read_request

HELLO = [{"role": "user", "content": "Hello."}]


def read(**given: object) -> ChatRequest:
    return read_request(json.dumps({"messages": HELLO, **given}).encode(), Defaults())


def refused(**given: object) -> ApiError:
    with pytest.raises(ApiError) as caught:
        read(**given)
    return caught.value


def test_what_is_left_open_comes_from_the_settings() -> None:
    asked = read_request(json.dumps({"messages": HELLO}).encode(), Defaults(0.4, 0.9, 7, 33))
    assert (asked.temperature, asked.top_p, asked.top_k, asked.max_tokens) == (0.4, 0.9, 7, 33)
    assert (asked.n, asked.stream, asked.seed, asked.stop, asked.distinct) == (1, False, None, (), False)


def test_null_means_left_open() -> None:
    assert read(temperature=None, n=None, seed=None, stop=None, stream=None, max_tokens=None) == read()


def test_both_names_of_the_token_limit() -> None:
    assert read(max_tokens=5).max_tokens == 5
    assert read(max_completion_tokens=6).max_tokens == 6


@pytest.mark.parametrize(
    ("given", "param"),
    [
        ({"temperature": -0.1}, "temperature"),
        ({"temperature": "hot"}, "temperature"),
        ({"temperature": True}, "temperature"),
        ({"temperature": float("nan")}, "temperature"),
        ({"top_p": 0}, "top_p"),
        ({"top_p": 1.1}, "top_p"),
        ({"top_k": -1}, "top_k"),
        ({"n": 0}, "n"),
        ({"n": 1000}, "n"),
        ({"n": 1.5}, "n"),
        ({"seed": 2**63}, "seed"),
        ({"seed": "x"}, "seed"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"stop": ""}, "stop"),
        ({"stop": ["a", 1]}, "stop"),
        ({"stream": "yes"}, "stream"),
        ({"stream_options": []}, "stream_options"),
        ({"model": 3}, "model"),
        ({"messages": []}, "messages"),
        ({"messages": "Hello."}, "messages"),
        ({"messages": ["Hello."]}, "messages[0]"),
        ({"messages": [{"role": "wizard", "content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "user", "content": 5}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": "  "}]}, "messages[0]"),
        ({"messages": [*HELLO, {"role": "assistant", "content": "x"}]}, "messages[1]"),
        ({"tools": [{"type": "function"}]}, "tools"),
        ({"frequency_penalty": 0.5}, "frequency_penalty"),
        ({"top_logprobs": 3}, "top_logprobs"),
    ],
)
def test_wrong_values_are_named(given: dict[str, object], param: str) -> None:
    error = refused(**given)
    assert (error.status, error.param) == (400, param)
    assert param.split(".")[0].split("[")[0] in error.message


def test_an_unknown_parameter_gets_the_nearest_name() -> None:
    assert refused(temprature=1).message == "Unknown parameter temprature; did you mean temperature?"


def test_neutral_values_of_what_is_not_done_here_pass() -> None:
    read(
        frequency_penalty=0, presence_penalty=0.0, logit_bias={}, tools=[], response_format={"type": "text"}, user="me"
    )


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b"[]", b"7"])
def test_what_is_no_json_object_is_refused(body: bytes) -> None:
    with pytest.raises(ApiError):
        read_request(body, Defaults())


def test_content_in_parts_and_the_developer_role() -> None:
    parts = [{"type": "text", "text": "Hel"}, {"type": "text", "text": "lo."}]
    asked = read(messages=[{"role": "developer", "content": "Be kind."}, {"role": "user", "content": parts}])
    assert asked.messages == ({"role": "system", "content": "Be kind."}, {"role": "user", "content": "Hello."})


def test_half_a_surrogate_pair_is_replaced() -> None:
    body = b'{"messages": [{"role": "user", "content": "a\\ud83d b \\ud83d\\ude00"}]}'
    assert read_request(body, Defaults()).messages[0]["content"] == "a\ufffd b \U0001f600"
