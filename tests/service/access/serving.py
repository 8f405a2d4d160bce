"""A server of one route that admits callers, as the service's routes will: python serving.py STORE."""

from __future__ import annotations

import socket
import sys
import time
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from service.access.access import Access
from service.access.credential import authorization
from service.access.settings import AccessSettings
from service.json_response import PROBLEM_JSON, json_response
from service.problem import Unanswered


def app(access: Access) -> Starlette:
    async def route(request: Request) -> Response:
        caller = access.admit(authorization(request.scope["headers"]), "predict", time.time())
        return json_response({"id": caller.id, "kind": caller.kind})

    async def on_unanswered(_: Request, error: Exception) -> Response:
        assert isinstance(error, Unanswered)
        document = error.document
        content = document.to_json("0" * 16)
        return json_response(content, status=document.status, media_type=PROBLEM_JSON, headers=document.headers)

    return Starlette(routes=[Route("/", route)], exception_handlers={Unanswered: on_unanswered})


def main(store: Path) -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    config = uvicorn.Config(app(Access(AccessSettings("keys", store))), log_config=None, lifespan="off")
    uvicorn.Server(config).run([listener])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
