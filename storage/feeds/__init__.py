"""Where bars come from: Yahoo, a folder of files, or the sample that a package carries."""

from typing import Literal

from pydantic import Field

from ensemble.options import Options
from storage.feeds.feed import Feed as Feed
from storage.feeds.feed import FeedError as FeedError
from storage.feeds.feed import History as History
from storage.feeds.files import FilesFeed, FilesOptions

Provider = Literal["yahoo", "files", "sample"]


class FeedOptions(Options):
    """The table [feed] of the configuration."""

    provider: Provider = Field(
        default="yahoo",
        description="who gives the bars: yahoo (the network), files (a folder), sample (the package arch)",
    )
    delay_min: int = Field(
        default=60,
        ge=0,
        le=1440,
        description="how long after its exchange's close a daily bar counts as final, minutes",
    )
    confirm_min: int = Field(
        default=0,
        ge=0,
        le=720,
        description="how long after that it is believed only once two reads, ten minutes apart, were equal, minutes",
    )
    timeout_s: float = Field(
        default=180.0,
        gt=0.0,
        le=3600.0,
        description="how long one fetch of all symbols may take, seconds; what has come by then is kept",
    )
    at_once: int = Field(
        default=4,
        ge=1,
        le=16,
        description="how many symbols Yahoo is asked for at the same time",
    )
    calls_a_day: int = Field(
        default=2000,
        ge=1,
        le=100_000,
        description="how many symbols a provider on the network may be asked for in a day of UTC, repeats counted",
    )
    currency: str | None = Field(
        default=None,
        pattern="^[A-Za-z]{3}$",
        description="what symbols and peers are quoted in, as the provider writes it; none: the exchange's currency",
    )
    check_provider: Provider | Literal["nse"] | None = Field(
        default=None,
        description="another provider, whose closes the stored ones are compared with after each reading; none: nobody",
    )
    check_limit_bp: float = Field(
        default=50.0,
        ge=0.0,
        le=10_000.0,
        description="how far two providers' closes may lie apart before it is told, basis points",
    )
    files: FilesOptions = Field(default=FilesOptions(), description="settings of the provider files")


def open_check_feed(options: FeedOptions) -> Feed | None:
    """The feed of feed.check_provider; None where there is none. Raises FeedError when it lacks a setting."""
    if options.check_provider is None:
        return None
    if options.check_provider == options.provider:
        raise FeedError(
            f'feed.check_provider was "{options.provider}", as feed.provider; name another, or leave it out.'
        )
    if options.check_provider == "nse":
        from storage.feeds.nse import NseFeed

        return NseFeed(timeout_s=options.timeout_s)
    return open_feed(options.model_copy(update={"provider": options.check_provider}))


def open_feed(options: FeedOptions) -> Feed:
    """The feed that the configuration names. Raises FeedError when it lacks a setting."""
    if options.provider == "files":
        if options.files.path is None:
            raise FeedError('feed.provider was "files" without feed.files.path; set it to the folder of the bars.')
        return FilesFeed(options.files.path)
    if options.provider == "sample":
        from storage.feeds.sample import SampleFeed

        return SampleFeed()
    from storage.feeds.yahoo import YahooFeed

    return YahooFeed(timeout_s=options.timeout_s, at_once=options.at_once)
