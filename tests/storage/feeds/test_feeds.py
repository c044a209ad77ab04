import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from storage.feeds import FeedError, FeedOptions, open_feed
from storage.feeds.files import FilesOptions


@pytest.mark.parametrize(
    ("options", "name"),
    [
        (FeedOptions(), "yahoo"),
        (FeedOptions(provider="files", files=FilesOptions(path=Path("bars"))), "files"),
        (FeedOptions(provider="sample"), "sample"),
    ],
)
def test_the_configuration_names_the_feed(options: FeedOptions, name: str) -> None:
    assert open_feed(options).name == name


def test_the_files_feed_needs_a_path() -> None:
    with pytest.raises(FeedError, match=r"without feed\.files\.path; set it"):
        open_feed(FeedOptions(provider="files"))


def test_an_unknown_provider_is_refused() -> None:
    with pytest.raises(ValidationError, match="provider"):
        FeedOptions.model_validate({"provider": "bloomberg"})


def test_naming_a_feed_loads_no_client() -> None:
    code = (
        "import sys; from storage.feeds import FeedOptions, open_feed; open_feed(FeedOptions());"
        "sys.exit(bool({'yfinance', 'curl_cffi', 'arch'} & set(sys.modules)))"
    )
    root = Path(__file__).parents[3]
    assert subprocess.run([sys.executable, "-c", code], cwd=root, check=False).returncode == 0
