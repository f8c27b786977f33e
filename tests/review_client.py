"""A review server in a thread, and a client that speaks plain HTTP with it."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import uvicorn

from clearscene.review.app import build_app
from clearscene.review.service import Review

TOKEN = "a-token-of-the-tests"


@dataclass(frozen=True)
class Answer:
    status: int
    content: bytes
    headers: dict[str, str]

    @property
    def json(self) -> Any:
        return json.loads(self.content)

    @property
    def code(self) -> str:
        return self.json["error"]["code"]


@dataclass(frozen=True)
class Client:
    port: int
    review: Review | None = None
    token: str = TOKEN

    def ask(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Answer:
        """One request with exactly these headers; `headers` None brings the token and the header of a change."""
        sent = {"Authorization": f"Bearer {self.token}", "X-Clearscene-Review": "1"} if headers is None else headers
        connection = HTTPConnection("127.0.0.1", self.port, timeout=120)
        try:
            content = None if body is None else json.dumps(body).encode()
            more = {} if body is None else {"Content-Type": "application/json"}
            connection.request(method, path, content, {**sent, **more})
            answer = connection.getresponse()
            return Answer(answer.status, answer.read(), {k.lower(): v for k, v in answer.getheaders()})
        finally:
            connection.close()

    def get(self, path: str) -> Answer:
        return self.ask("GET", path)

    def post(self, path: str, **body: Any) -> Answer:
        return self.ask("POST", path, body)

    def edit(self, action: str, *keys: int, **more: Any) -> Answer:
        return self.post("/api/edit", action=action, keys=list(keys), **more)


@contextmanager
def serving(run: Path, *, reviewer: str = "Li", scene: str = "") -> Iterator[Client]:
    """A server on a run, in a thread of this process."""
    review = Review(run, reviewer=reviewer, scene=scene)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        config = uvicorn.Config(
            build_app(review, token=TOKEN, port=port), log_level="critical", lifespan="off", timeout_graceful_shutdown=1
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        try:
            yield Client(port, review)
        finally:
            server.should_exit = True
            thread.join(30)
            review.close()
