"""The running model through the real `openai` library, over its real socket."""

import threading
import time
from collections.abc import Iterator

import httpx
import openai
import pytest

from mrclassic.home import Home

HELLO = [{"role": "user", "content": "Hello."}]


@pytest.fixture(scope="module")
def transport(mind_home: Home) -> httpx.HTTPTransport:
    return httpx.HTTPTransport(uds=str(mind_home.socket), verify=False)


@pytest.fixture(scope="module")
def client(transport: httpx.HTTPTransport) -> Iterator[openai.OpenAI]:
    http = httpx.Client(transport=transport)
    with openai.OpenAI(base_url="http://mind/v1", api_key="x", http_client=http, max_retries=0) as client:
        yield client


def health(transport: httpx.HTTPTransport) -> dict[str, object]:
    body: dict[str, object] = httpx.Client(transport=transport).get("http://mind/healthz").json()
    return body


def say(client: openai.OpenAI, **given: object) -> openai.types.chat.ChatCompletion:
    arguments = {"model": "mr-classic", "messages": HELLO, "max_tokens": 12, "seed": 1, **given}
    return client.chat.completions.create(**arguments)


def test_a_completion_with_logprobs_and_usage(client: openai.OpenAI) -> None:
    answer = say(client, n=3, logprobs=True, temperature=1.0)
    assert [choice.index for choice in answer.choices] == [0, 1, 2]
    assert answer.object == "chat.completion"
    assert answer.usage is not None
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens
    for choice in answer.choices:
        assert choice.finish_reason in ("stop", "length")
        assert choice.message.role == "assistant"
        assert choice.logprobs is not None
        assert choice.logprobs.content is not None
        assert len(choice.logprobs.content) == (
            12 if choice.finish_reason == "length" else len(choice.logprobs.content)
        )
        assert all(token.logprob <= 0 for token in choice.logprobs.content)
    assert answer.usage.completion_tokens <= 36
    extra = answer.model_extra["mrclassic"]
    assert [reply["index"] for reply in extra["replies"]] == [0, 1, 2]
    assert extra["checkpoint"] == answer.model
    assert extra["seed"] == 1


def test_a_stream_says_what_the_whole_says(client: openai.OpenAI) -> None:
    whole = say(client, n=3, temperature=1.0)
    stream = client.chat.completions.create(
        model="mr-classic",
        messages=HELLO,
        max_tokens=12,
        seed=1,
        n=3,
        temperature=1.0,
        stream=True,
        stream_options={"include_usage": True},
    )
    texts, reasons, roles, usage = ["", "", ""], {}, {}, None
    for chunk in stream:
        assert chunk.object == "chat.completion.chunk"
        usage = chunk.usage or usage
        for choice in chunk.choices:
            assert choice.index not in reasons, "nothing follows the end of a choice"
            roles.setdefault(choice.index, choice.delta.role)
            texts[choice.index] += choice.delta.content or ""
            if choice.finish_reason:
                reasons[choice.index] = choice.finish_reason
    assert roles == {0: "assistant", 1: "assistant", 2: "assistant"}
    assert texts == [choice.message.content for choice in whole.choices]
    assert [reasons[index] for index in range(3)] == [choice.finish_reason for choice in whole.choices]
    assert usage == whole.usage


def test_the_same_seed_says_the_same_alone_and_in_company(client: openai.OpenAI) -> None:
    alone = [choice.message.content for choice in say(client, n=2, max_tokens=30, temperature=0.9).choices]
    other = say(client, n=2, max_tokens=30, temperature=0.9, seed=2)
    assert alone != [choice.message.content for choice in other.choices]
    said: list[list[str | None]] = []

    def ask(seed: int) -> None:
        answer = say(client, n=2, max_tokens=30, temperature=0.9, seed=seed)
        if seed == 1:
            said.append([choice.message.content for choice in answer.choices])

    threads = [threading.Thread(target=ask, args=(seed,)) for seed in (5, 1, 6, 7, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert said == [alone, alone]


def test_greedy_is_greedy(client: openai.OpenAI) -> None:
    answers = {say(client, temperature=0, seed=seed).choices[0].message.content for seed in (1, 2, 3)}
    assert len(answers) == 1


def test_distinct_candidates_are_redrawn_and_at_last_marked(client: openai.OpenAI) -> None:
    """With top_k=1 the model has nothing else to say, however warm."""
    stream = client.chat.completions.create(
        model="mr-classic",
        messages=HELLO,
        max_tokens=4,
        n=3,
        temperature=0.7,
        stream=True,
        extra_body={"top_k": 1, "distinct": True},
    )
    restarts, duplicates, texts = [0, 0, 0], set(), ["", "", ""]
    for chunk in stream:
        extra = chunk.model_extra["mrclassic"]
        for choice in chunk.choices:
            if extra.get("restart") == choice.index:
                restarts[choice.index] += 1
                texts[choice.index] = ""
            texts[choice.index] += choice.delta.content or ""
            if choice.finish_reason and extra["duplicate"]:
                duplicates.add(choice.index)
    assert restarts == [0, 4, 4]
    assert duplicates == {1, 2}
    assert len(set(texts)) == 1


def test_distinct_greedy_candidates_differ(client: openai.OpenAI) -> None:
    answer = say(client, n=5, temperature=0, extra_body={"distinct": True})
    replies = answer.model_extra["mrclassic"]["replies"]
    texts = [c.message.content for c, reply in zip(answer.choices, replies, strict=True) if not reply["duplicate"]]
    assert len(set(texts)) == len(texts)
    assert replies[0]["temperature"] == 0
    assert answer.choices[0].message.content == say(client, temperature=0).choices[0].message.content


def test_stop_strings(client: openai.OpenAI) -> None:
    whole = say(client, max_tokens=40, temperature=1.0).choices[0].message.content
    assert whole is not None
    stop = whole[len(whole) // 2 : len(whole) // 2 + 2]
    answer = say(client, max_tokens=40, temperature=1.0, stop=stop).choices[0]
    assert (answer.message.content, answer.finish_reason) == (whole[: whole.index(stop)], "stop")


def test_models(client: openai.OpenAI) -> None:
    names = [model.id for model in client.models.list()]
    assert names[0] == "mr-classic"
    assert say(client, model=names[1]).model == names[1]
    with pytest.raises(openai.NotFoundError, match="no model 'gpt-9'"):
        say(client, model="gpt-9")


def test_wrong_parameters_are_bad_requests(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="temperature must be from 0 to 5") as caught:
        say(client, temperature=7)
    assert caught.value.param == "temperature"


@pytest.mark.parametrize("stream", [False, True])
def test_a_prompt_of_100_kb_is_refused_in_words(client: openai.OpenAI, stream: bool) -> None:
    with pytest.raises(
        openai.BadRequestError, match=r"The message is [\d,]+ tokens long; this model reads 512"
    ) as caught:
        say(client, messages=[{"role": "user", "content": "words and more words " * 5000}], stream=stream)
    assert caught.value.code == "context_length_exceeded"


def test_a_body_beyond_4_mb_is_refused(client: openai.OpenAI) -> None:
    with pytest.raises(openai.APIStatusError, match="longer than 4 MB") as caught:
        say(client, messages=[{"role": "user", "content": "x" * 5_000_000}])
    assert caught.value.status_code == 413


def test_emoji_and_chinese(client: openai.OpenAI) -> None:
    assert say(client, messages=[{"role": "user", "content": "你好 🎩"}]).choices[0].finish_reason


def test_a_stream_is_ascii(transport: httpx.HTTPTransport) -> None:
    """Clients that end lines wherever Unicode does would cut an event at a U+2028 that the model says."""
    asked = {"messages": [{"role": "user", "content": "漢字 🙂"}], "stream": True, "max_tokens": 60, "n": 8, "seed": 1}
    with httpx.Client(transport=transport, base_url="http://mind") as http:
        body = http.post("/v1/chat/completions", json=asked).content
    assert b"\\u" in body, "gibberish has characters beyond ASCII"
    assert body.isascii()


def test_unknown_paths_and_methods(transport: httpx.HTTPTransport) -> None:
    http = httpx.Client(transport=transport, base_url="http://mind")
    assert http.get("/v1/nothing").json()["error"]["message"] == "There is nothing at /v1/nothing."
    assert http.get("/v1/chat/completions").status_code == 405


@pytest.mark.parametrize("stream", [False, True])
def test_a_client_that_leaves_frees_the_engine(transport: httpx.HTTPTransport, stream: bool) -> None:
    http = httpx.Client(transport=transport, base_url="http://mind", timeout=0.5)
    body = {"messages": HELLO, "n": 8, "max_tokens": 400, "stream": stream, "logit_bias": None}
    if stream:
        with http.stream("POST", "/v1/chat/completions", json=body) as response:
            lines = response.iter_lines()  # held: letting go of it would close the stream already
            next(lines)
            becomes_active(transport, 1)
    else:
        with pytest.raises(httpx.ReadTimeout):
            http.post("/v1/chat/completions", json={**body, "n": 64, "max_tokens": 480})
    becomes_active(transport, 0)


def becomes_active(transport: httpx.HTTPTransport, count: int) -> None:
    """Wait until so many requests are being answered; the stream may open before its first row has a slot."""
    end = time.monotonic() + 3
    while health(transport)["active"] != count and time.monotonic() < end:
        time.sleep(0.02)
    assert health(transport)["active"] == count
