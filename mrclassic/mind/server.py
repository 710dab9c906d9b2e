"""The API: OpenAI's chat completions and models, and two routes of our own, `/healthz` and `/v1/shutdown`."""

from __future__ import annotations

import asyncio
import hmac
import os
from collections.abc import AsyncIterator, Callable

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from mrclassic.mind import answers
from mrclassic.mind.driver import Driver, Job
from mrclassic.mind.parameters import BODY_LIMIT, ApiError, Defaults, read_request
from mrclassic.mind.protocol import ALIAS, error_body

_DRAINED = 16 * BODY_LIMIT
"""How much of a body that is too long is still read, so that its sender gets to see the answer."""


def make_app(driver: Driver, defaults: Defaults, leave: Callable[[], None] | None) -> Starlette:
    """The app around a running driver; without `leave` there is no `/v1/shutdown` (the app on a port has none)."""

    async def completions(request: Request) -> Response:
        asked = read_request(await _body(request), defaults)
        job = driver.submit(asked)
        watch = asyncio.create_task(_watch(request, driver, job))
        try:
            # Before the first byte of the answer, so that a prompt that is too long is a 400 and not a broken stream.
            admitted = await job.admitted
            if asked.stream:
                return _Stream(answers.chunks(job, admitted), lambda: driver.cancel(job))
            return JSONResponse(await answers.whole(job, admitted))
        except BaseException:
            driver.cancel(job)
            raise
        finally:
            watch.cancel()

    async def models(_: Request) -> Response:
        names = [ALIAS, driver.desk.checkpoint]
        data = [{"id": name, "object": "model", "created": 0, "owned_by": "mrclassic"} for name in names]
        return JSONResponse({"object": "list", "data": data})

    async def health(_: Request) -> Response:
        desk = driver.desk
        return JSONResponse(
            {
                "status": "ok",
                "checkpoint": desk.checkpoint,
                "notice": desk.notice,
                "pid": os.getpid(),
                "active": driver.active,
                "device": desk.device,
            }
        )

    async def shutdown(_: Request) -> Response:
        assert leave is not None
        leave()
        return JSONResponse({"status": "leaving"})

    routes = [
        Route("/v1/chat/completions", completions, methods=["POST"]),
        Route("/v1/models", models),
        Route("/healthz", health),
    ]
    if leave is not None:
        routes.append(Route("/v1/shutdown", shutdown, methods=["POST"]))
    return Starlette(routes=routes, exception_handlers={ApiError: _refuse, HTTPException: _http, Exception: _defect})


def guarded(app: ASGIApp, token: str) -> ASGIApp:
    """`app` for those who know the token (`Authorization: Bearer …`)."""
    expected = f"Bearer {token}".encode()

    async def guard(scope: Scope, receive: Receive, send: Send) -> None:
        given = dict(scope.get("headers", [])).get(b"authorization", b"")
        if scope["type"] == "http" and not hmac.compare_digest(given, expected):
            message = "The token is missing or wrong; send the one that `mrclassic serve` printed as a bearer token."
            body = error_body(message, "invalid_request_error", "invalid_api_key")
            await JSONResponse(body, 401, {"WWW-Authenticate": "Bearer"})(scope, receive, send)
            return
        await app(scope, receive, send)

    return guard


class _Stream(StreamingResponse):
    """Server-sent events; when they end in whatever way, `leave` is called."""

    def __init__(self, lines: AsyncIterator[bytes], leave: Callable[[], None]) -> None:
        super().__init__(lines, media_type="text/event-stream", headers={"Cache-Control": "no-cache"})
        self._leave = leave

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        gone = asyncio.create_task(_left(receive))
        # Leaving ends the job, the job's end ends the lines: nothing has to be interrupted.
        gone.add_done_callback(lambda _: self._leave())
        try:
            await self.stream_response(send)
        except OSError as error:
            raise ClientDisconnect from error
        finally:
            gone.cancel()


async def _left(receive: Receive) -> None:
    """Return when the client is gone."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def _watch(request: Request, driver: Driver, job: Job) -> None:
    await _left(request.receive)
    driver.cancel(job)


async def _body(request: Request) -> bytes:
    """The request's body, up to the limit."""
    body = bytearray()
    size = 0
    async for part in request.stream():
        size += len(part)
        if size <= BODY_LIMIT:
            body += part
        elif size > _DRAINED:
            break
    if size > BODY_LIMIT:
        raise ApiError(
            f"The request is longer than {BODY_LIMIT // 1024**2} MB. Shorten it.", status=413, code="request_too_large"
        )
    return bytes(body)


async def _refuse(_: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)
    return JSONResponse(error_body(error.message, error.kind, error.code, error.param), error.status)


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    words = {404: "There is nothing at {path}.", 405: "{path} does not take {method}."}.get(error.status_code)
    message = words.format(path=request.url.path, method=request.method) if words else error.detail
    return JSONResponse(error_body(message, "invalid_request_error"), error.status_code, error.headers)


async def _defect(_: Request, error: Exception) -> Response:
    """A mistake of ours: starlette raises it again after this answer, so that the log has it."""
    message = f"The model's process made a mistake ({type(error).__name__}); its log has the details."
    return JSONResponse(error_body(message, "server_error", "defect"), 500)
