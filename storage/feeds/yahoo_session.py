"""The session through which yfinance asks: it may be sent elsewhere, and what comes is bounded in length and time."""

import re
import threading
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from curl_cffi import requests

from storage.feeds.child import Terms

_CRUMB = re.compile(r"[^\s<>{}]{1,64}")
MOST_BYTES = 8 << 20
"""Of one answer, unpacked: forty years of daily bars take a sixth of it."""


class OversizedAnswer(Exception):
    """An answer went on beyond MOST_BYTES."""


class NoCrumb(OSError):
    """An error of the kind after which the client goes on without a crumb."""


class YahooSession(requests.Session[Any]):
    """The client's own session within bounds; it keeps the last chart of each thread, for what the client drops."""

    def __init__(self, terms: Terms) -> None:
        super().__init__(impersonate="chrome")
        self._terms = terms
        self._seen = threading.local()
        self._crumbless = False

    @property
    def chart(self) -> Any:
        """What this thread got when it last asked for bars; None where nothing came."""
        return getattr(self._seen, "chart", None)

    def request(self, method: Any, url: str, *args: Any, **kwargs: Any) -> Any:
        if url.endswith("/getcrumb"):
            return self._crumb(method, url, *args, **kwargs)
        asks_for_bars = "/finance/chart/" in url
        if asks_for_bars:
            self._seen.chart = None
        answer = self._bounded(method, url, *args, **kwargs)
        if asks_for_bars:
            self._seen.chart = answer
        return answer

    def _crumb(self, *args: Any, **kwargs: Any) -> Any:
        """An answer that is a crumb. The client would keep any other words, "Too Many Requests", as its password."""
        if self._crumbless:
            raise NoCrumb("Yahoo gave no crumb before; bars come without one too")
        answer = self._bounded(*args, **kwargs)
        self._crumbless = answer.status_code != HTTPStatus.OK or not _CRUMB.fullmatch(answer.text)
        if self._crumbless:
            raise NoCrumb("Yahoo gave no crumb")
        return answer

    def _bounded(self, method: Any, url: str, *args: Any, **kwargs: Any) -> Any:
        body = bytearray()

        def take(data: bytes) -> int:
            if len(body) + len(data) > MOST_BYTES:
                raise OversizedAnswer(f"the answer was longer than {MOST_BYTES >> 20} MiB")
            body.extend(data)
            return len(data)

        bounds = {"timeout": self._terms.request_timeout_s, "content_callback": take}
        answer = super().request(method, self._address(url), *args, **(kwargs | bounds))
        answer.content = bytes(body)
        return answer

    def _address(self, url: str) -> str:
        if self._terms.mirror is None:
            return url
        parts = urlsplit(url)
        return f"{self._terms.mirror}/{parts.netloc}{parts.path}?{parts.query}"
