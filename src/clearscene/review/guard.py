"""Who may talk to the server: this machine's browser, with the token, on a page that the server gave it.

A page on the internet can make a browser send requests to this machine. So the `Host` header must name
the loopback address (DNS rebinding), a foreign `Origin` is refused (cross-site requests), what changes
something needs a header that a form cannot send, and the cookie is never sent from another site.
"""

import secrets
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qs

__all__ = ["CSP", "Guard", "Refusal", "new_token"]

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
CHANGE_HEADER = "x-clearscene-review"
CSP = (
    "default-src 'self'; img-src 'self' data: blob:; style-src 'self' 'unsafe-inline'; worker-src 'self' blob:; "
    "object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": CSP,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
}


@dataclass(frozen=True)
class Refusal:
    """Why a request is not answered."""

    status: int
    code: str
    message: str
    hint: str = ""


def new_token() -> str:
    """A token of 256 bits for an address."""
    return secrets.token_urlsafe(32)


class Guard:
    """ASGI middleware that lets through what comes with the token from this machine.

    Args:
        app: What answers.
        token: What a request must bring: in the cookie, as a bearer token, or as `token` in the address.
        port: Port of the server; the cookie has it in its name, because browsers share cookies between ports.
        refuse: Sends a refusal.
    """

    def __init__(self, app: App, *, token: str, port: int, refuse: Callable[[Refusal, Scope], App]) -> None:
        self.app, self.token, self.port, self.refuse = app, token, port, refuse
        self.cookie = f"clearscene_review_{port}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check a request, then pass it on; every answer gets the headers that keep a browser careful."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            return
        refusal = self._refusal(scope)
        app = self.app if refusal is None else self.refuse(refusal, scope)
        cookie = self._fresh_cookie(scope) if refusal is None else None

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = list(message.get("headers", []))
                known = {name.lower() for name, _ in headers}
                headers += [(n.encode(), v.encode()) for n, v in HEADERS.items() if n.encode() not in known]
                if cookie:
                    headers.append((b"set-cookie", cookie.encode()))
                message["headers"] = headers
            await send(message)

        await app(scope, receive, send_with_headers)

    def _refusal(self, scope: Scope) -> Refusal | None:
        headers = _headers(scope)
        host = headers.get("host", "")
        if host not in self._hosts():
            return Refusal(
                403, "foreign_host", f"The host {host!r} is not this machine.", "Use the address as printed."
            )
        origin = headers.get("origin")
        if origin is not None and origin not in {f"http://{name}" for name in self._hosts()}:
            return Refusal(403, "foreign_origin", f"Pages of {origin} may not talk to a review.")
        if not any(
            secrets.compare_digest(given.encode(), self.token.encode()) for given in self._given(scope, headers)
        ):
            hint = "Open the address that `clearscene review` printed."
            return Refusal(401, "no_token", "The token of this review is missing or wrong.", hint)
        if scope["method"] not in ("GET", "HEAD") and headers.get(CHANGE_HEADER) != "1":
            return Refusal(403, "no_header", f"A change needs the header {CHANGE_HEADER}: 1.")
        return None

    def _hosts(self) -> set[str]:
        return {f"{name}:{self.port}" for name in LOOPBACK} | (set(LOOPBACK) if self.port == 80 else set())

    def _given(self, scope: Scope, headers: dict[str, str]) -> list[str]:
        """The tokens that a request brings."""
        given = parse_qs(scope.get("query_string", b"").decode("latin-1")).get("token", [])
        kind, _, value = headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer":
            given.append(value)
        try:
            cookies = SimpleCookie(headers.get("cookie", ""))
        except CookieError:
            return given
        return given + ([cookies[self.cookie].value] if self.cookie in cookies else [])

    def _fresh_cookie(self, scope: Scope) -> str | None:
        """The cookie for a page that was opened by its address."""
        if scope["path"] != "/" or b"token=" not in scope.get("query_string", b""):
            return None
        return f"{self.cookie}={self.token}; Path=/; HttpOnly; SameSite=Strict"


def _headers(scope: Scope) -> dict[str, str]:
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
