"""One message to one channel, by the real Apprise in its own process, to a server on this machine."""

import pytest

from daemon.console.redaction import hide
from daemon.notify.messenger import Message, send
from tests.daemon.loopback import receiver


def message(url: str, *, channel: str = "json-1", timeout_s: float = 5) -> Message:
    return {"channel": channel, "url": url, "title": "title", "body": "body\nid: signal:1", "timeout_s": timeout_s}


def test_a_message_arrives_with_its_id() -> None:
    with receiver() as here:
        assert send(message(here.url)) is None
    (got,) = here.got
    assert (got["title"], got["message"]) == ("title", "body\nid: signal:1")


def test_a_sign_of_life_is_a_page_fetched() -> None:
    with receiver() as here:
        assert send(message(here.ping_url, channel="ping")) is None
    assert here.fetched == ["/p1ng-canary"]


@pytest.mark.parametrize("channel", ["json-1", "ping"])
def test_a_server_in_trouble_is_a_reason(channel: str) -> None:
    with receiver(status=500) as here:
        refused = send(message(here.ping_url if channel == "ping" else here.url, channel=channel))
    assert refused is not None
    assert "500" in refused


@pytest.mark.slow
def test_a_server_that_says_nothing_is_given_up_in_time() -> None:
    with receiver(silent=True) as here:
        assert send(message(here.ping_url, channel="ping", timeout_s=1)) is not None
        assert send(message(here.url, timeout_s=1)) is not None


def test_nobody_at_the_other_end_is_a_reason_without_the_secret() -> None:
    with receiver() as here:
        gone = here.url
    hide(["s3cr3t-canary"])
    refused = send(message(gone))
    assert refused
    assert "canary" not in refused


def test_a_url_that_apprise_does_not_know_is_told() -> None:
    refused = send(message("nosuchservice://host"))
    assert refused is not None
    assert "no such URL" in refused
