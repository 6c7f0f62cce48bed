"""Routes, limits and the queue."""

import asyncio
import contextlib
import os
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib import resources

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

import skart
from skart.serving._guard import LOOPBACK, Guard, error_response
from skart.serving._service import RefusedError

_QUEUE = 64  # requests that wait or are computed
_N_DECODERS = 4
# Images of more pixels are decoded one at a time, since each takes up to a few GB.
_LARGE = 30_000_000
_MEMORY = 500_000_000  # bytes of bodies that are held at once, or five bodies
_BUSY = "too many images are waiting: try again in a moment"
_PARAMETERS = {"heat", "movement", "neighbors"}
_SHARED, _OWN = "_utils/templates", "serving/templates"
_FILES = {
    "/": ("text/html", [f"{_OWN}/serve.html"]),
    "/serve.css": (
        "text/css",
        [f"{_SHARED}/base.css", f"{_SHARED}/app.css", f"{_OWN}/serve.css"],
    ),
    "/serve.js": ("text/javascript", [f"{_SHARED}/app.js", f"{_OWN}/serve.js"]),
    "/openapi.json": ("application/json", [f"{_OWN}/openapi.json"]),
}


def build_app(service, *, max_bytes, timeout, hosts):
    """Return the application of a service."""
    predict = _Prediction(service, max_bytes, timeout)
    description = service.describe() | {"max_bytes": max_bytes}
    health = {"status": "ok", "version": skart.__version__}
    routes = [
        Route("/predict", predict.answer, methods=["POST"]),
        Route("/model", _always(JSONResponse(description))),
        Route("/health", _always(JSONResponse(health))),
    ]
    root = resources.files("skart")
    for path, (kind, files) in _FILES.items():
        text = "\n".join((root / file).read_text("utf-8") for file in files)
        routes.append(Route(path, _always(Response(text, media_type=kind))))
    app = Starlette(
        routes=routes,
        middleware=[Middleware(Guard, hosts={*LOOPBACK, *hosts})],
        exception_handlers={
            HTTPException: _explain_status,
            RefusedError: _explain_refusal,
        },
    )
    app.router.redirect_slashes = False
    return app


def _always(response):
    """Return an endpoint that gives one response."""

    async def endpoint(request):
        return response

    return endpoint


async def _explain_status(request, error):
    """Return the answer to a request that no route takes."""
    texts = {
        404: "there is nothing at this address",
        405: "this address does not take this method",
    }
    text = texts.get(error.status_code, error.detail)
    return error_response(error.status_code, text, error.headers)


async def _explain_refusal(request, error):
    """Return the answer to a request that is refused."""
    headers = {"Retry-After": "1"} if error.status == 503 else None
    return error_response(error.status, str(error), headers)


class _Prediction:
    """Answers to ``POST /predict``: bodies are read, decoded and predicted in turn."""

    def __init__(self, service, max_bytes, timeout):
        self._service, self._max_bytes, self._timeout = service, max_bytes, timeout
        n_decoders = min(_N_DECODERS, os.cpu_count() or 1)
        self._decoders = ThreadPoolExecutor(n_decoders, "decode")
        self._network = ThreadPoolExecutor(1, "predict")
        self._large = asyncio.Semaphore(1)
        self._n_waiting = self._n_bytes = 0

    async def answer(self, request):
        """Return the answer to a request."""
        options = self._read_options(request)
        try:
            content = await self._read_body(request)
            self._n_bytes += len(content)
            try:
                return await self._compute(request, content, options)
            finally:
                self._n_bytes -= len(content)
        except ClientDisconnect:
            return Response()  # nobody reads it

    def _read_options(self, request):
        """Return the options in the query; check the kind of the body."""
        kind = request.headers.get("content-type", "").lower()
        if kind.startswith(("multipart/", "application/json")):
            text = "send the bytes of an image as the body, not a form or JSON"
            raise RefusedError(text, 415)
        if request.headers.get("content-encoding", "identity") != "identity":
            raise RefusedError("send the body without a content encoding", 415)
        query = request.query_params
        for name in query:
            if name not in _PARAMETERS:
                raise RefusedError(
                    f"unknown parameter {name!r}. Allowed are heat, movement and "
                    "neighbors."
                )
        options = {}
        for name in ("heat", "neighbors"):
            value = query.get(name, "false")
            if value not in ("true", "false"):
                raise RefusedError(f"{name} must be true or false; got {value!r}")
            options[name] = value == "true"
        options["movement"] = self._service.find_movement(query.get("movement"))
        return options

    async def _read_body(self, request):
        """Return the body, if it comes in time and is not too large."""
        text = f"the file has more than {self._max_bytes / 1e6:g} MB"
        too_large = RefusedError(f"{text}: send a smaller copy", 413)
        length = request.headers.get("content-length", "0")
        if length.isdigit() and int(length) > self._max_bytes:
            raise too_large
        parts, n_bytes = [], 0
        try:
            async with asyncio.timeout(self._timeout):
                async for part in request.stream():
                    n_bytes += len(part)
                    self._n_bytes += len(part)
                    parts.append(part)
                    if n_bytes > self._max_bytes:
                        raise too_large
                    if self._n_bytes > max(_MEMORY, 5 * self._max_bytes):
                        raise RefusedError(_BUSY, 503)
            return b"".join(parts)
        except TimeoutError:
            text = f"the body did not arrive within {self._timeout:g} seconds"
            raise RefusedError(text, 408) from None
        finally:
            self._n_bytes -= n_bytes

    async def _compute(self, request, content, options):
        """Return the answer, computed in threads."""
        if self._n_waiting >= _QUEUE:
            raise RefusedError(_BUSY, 503)
        self._n_waiting += 1
        try:
            decode = partial(self._run, self._decoders)
            header = await decode(self._service.read_header, content)
            is_large = header[1] * header[2] > _LARGE
            # The collection's features may need the image decoded again.
            async with self._large if is_large else contextlib.nullcontext():
                pixels = await decode(self._service.decode, content)
                if await request.is_disconnected():
                    raise ClientDisconnect
                answer = await self._run(
                    self._network, self._service.predict, content, pixels, **options
                )
            # What the model sees is shown beside what comes of it.
            shown = pixels if options["heat"] or options["neighbors"] else None
            answer = await decode(self._service.finish, answer, content, header, shown)
        finally:
            self._n_waiting -= 1
        return JSONResponse(answer)

    async def _run(self, pool, function, *args, **options):
        """Return the result of a function that runs in a thread of a pool."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(pool, partial(function, *args, **options))
