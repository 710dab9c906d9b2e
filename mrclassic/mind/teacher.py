"""A teacher: any server that speaks the OpenAI protocol, asked for whole replies. Nothing is sent unless it is named.

teacher = Teacher("http://localhost:11434/v1", "qwen3:8b")
teacher.ask([{"role": "user", "content": "Hello."}])
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from mrclassic.errors import MrClassicError, UsageError

if TYPE_CHECKING:
    import httpx

KEY = "TEACHER_API_KEY"  # the environment variable that holds the key, where the server wants one

_PATIENCE = 300.0  # seconds for one reply: a large model on a small machine
_PAUSES = (1.0, 4.0)  # seconds before asking again a server that is busy
_BUSY = (408, 409, 429, 500, 502, 503, 504)


@dataclass(frozen=True)
class Answer:
    """A reply, and the tokens that were read and written for it; None where the server does not say."""

    text: str
    read: int | None = None
    written: int | None = None


class Teacher:
    """A model on a server whose address ends where `/chat/completions` begins. May be asked from several threads."""

    def __init__(self, url: str, model: str, key_variable: str = KEY, patience: float = _PATIENCE) -> None:
        """`patience`: seconds for one reply. Raises UsageError for an address that is none."""
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise UsageError(f"{url!r} is no address of a teacher; write one such as http://localhost:11434/v1.")
        import httpx

        self.name = f"{model} at {parts.hostname}"
        self.host = parts.hostname
        self._model = model
        self.url = url.rstrip("/").removesuffix("/chat/completions") + "/chat/completions"
        key = os.environ.get(key_variable, "").strip()
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._key_variable = key_variable
        # Redirects are not followed: they would take the owner's notes to a server that was not named.
        self._http = httpx.Client(headers=headers, timeout=httpx.Timeout(patience, connect=min(10.0, patience)))

    def __enter__(self) -> Teacher:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def ask(self, messages: Sequence[Mapping[str, str]], temperature: float = 0.8) -> str:
        """The reply; raises MrClassicError where there is none."""
        return self.answer(messages, temperature).text

    def answer(
        self, messages: Sequence[Mapping[str, str]], temperature: float = 0.8, max_tokens: int | None = None
    ) -> Answer:
        """The reply with what it took. A server that is busy, slow or gone is asked again, twice; raises MrClassicError
        where there is no reply even then."""
        import httpx

        body = {"model": self._model, "messages": [dict(each) for each in messages], "temperature": temperature}
        if max_tokens is not None:
            body["max_tokens"] = max_tokens
        for pause in (*_PAUSES, None):
            try:
                response = self._http.post(self.url, json=body)
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:  # nobody there: waiting does not help
                raise MrClassicError(f"The teacher {self.name} could not be reached ({error}).") from error
            except httpx.TransportError as error:
                if pause is None:
                    words = str(error) or type(error).__name__
                    raise MrClassicError(f"The teacher {self.name} could not be reached ({words}).") from error
            else:
                if response.status_code not in _BUSY or pause is None:
                    break
            time.sleep(pause)
        return self._answer(response)

    def _answer(self, response: httpx.Response) -> Answer:
        status = response.status_code
        if status in (401, 403):
            raise MrClassicError(
                f"The teacher {self.name} wants a key (HTTP {status}); put it in ${self._key_variable}."
            )
        if status != 200:
            raise MrClassicError(f"The teacher {self.name} answered HTTP {status}: {_line(response.text)}")
        try:
            body = response.json()
            content = body["choices"][0]["message"]["content"]
            used = body.get("usage") or {}
            tokens = [used.get(name) for name in ("prompt_tokens", "completion_tokens")]
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise MrClassicError(f"The teacher {self.name} does not speak the OpenAI protocol.") from error
        counted = [each if isinstance(each, int) and each >= 0 else None for each in tokens]
        return Answer(content if isinstance(content, str) else "", *counted)


def _line(text: str) -> str:
    return " ".join(text.split())[:200] or "no words with it."
