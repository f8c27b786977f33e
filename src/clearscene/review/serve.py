"""Run the review server on this machine until it is stopped."""

import contextlib
import logging
import socket
import threading
import webbrowser
from collections.abc import Callable
from pathlib import Path

import uvicorn

from clearscene.errors import OptionError
from clearscene.review.app import build_app
from clearscene.review.guard import new_token
from clearscene.review.service import Review

__all__ = ["serve"]

logger = logging.getLogger(__name__)

HOST = "127.0.0.1"
GRACE_S = 2
"""Seconds that pages which wait for changes are given when the server stops."""


def serve(
    run: str | Path,
    *,
    reviewer: str,
    port: int = 0,
    scene: str = "",
    opens_browser: bool = True,
    told: Callable[[str], None] = print,
) -> None:
    """Serve a review on the loopback address until Ctrl-C or SIGTERM; then score what was decided.

    Args:
        run: A run folder, or the GeoPackage in it.
        reviewer: Whose gestures these are.
        port: 0 takes a free one.
        scene: Where the scene lies now; "" takes the path in the record.
        opens_browser: Whether the page is opened.
        told: Is given the address, with the token, when the server is about to answer.

    Raises:
        ResultError: The run is incomplete.
        OptionError: The port is taken.
    """
    review = Review(run, reviewer=reviewer, scene=scene)
    try:
        with _bound(port) as listener:
            token, number = new_token(), int(listener.getsockname()[1])
            address = f"http://{HOST}:{number}/?token={token}"
            app = build_app(review, token=token, port=number)
            config = uvicorn.Config(
                app, log_level="warning", access_log=False, timeout_graceful_shutdown=GRACE_S, lifespan="off"
            )
            logging.getLogger("uvicorn.error").addFilter(_is_no_farewell)
            told(address)
            if opens_browser:
                threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()
            with contextlib.suppress(KeyboardInterrupt):
                uvicorn.Server(config).run(sockets=[listener])
    finally:
        problem = review.close()
        if problem:
            logger.warning(problem)


def _is_no_farewell(record: logging.LogRecord) -> bool:
    """False for what uvicorn says of a page that is still open at the end: nothing is wrong then."""
    return "graceful shutdown exceeded" not in record.getMessage()


def _bound(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
    except (OSError, OverflowError) as error:
        listener.close()
        raise OptionError(
            f"Port {port} cannot be used: {error}.", hint="Leave --port out to take a free one."
        ) from error
    return listener
