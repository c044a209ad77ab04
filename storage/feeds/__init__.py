"""Where bars come from: Yahoo, a folder of files, or the sample that a package carries."""

from typing import Literal

from pydantic import Field

from ensemble.options import Options
from storage.feeds.feed import Feed as Feed
from storage.feeds.feed import FeedError as FeedError
from storage.feeds.feed import History as History
from storage.feeds.files import FilesFeed, FilesOptions


class FeedOptions(Options):
    """The table [feed] of the configuration."""

    provider: Literal["yahoo", "files", "sample"] = Field(
        default="yahoo",
        description="who gives the bars: yahoo (the network), files (a folder), sample (the package arch)",
    )
    delay_min: int = Field(
        default=60,
        ge=0,
        le=1440,
        description="how long after its exchange's close a daily bar counts as final, minutes",
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
    files: FilesOptions = Field(default=FilesOptions(), description="settings of the provider files")


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
