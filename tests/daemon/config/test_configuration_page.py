"""docs/configuration.md is what the settings say."""

from daemon.config.settings import Settings
from tests.daemon.config.configuration_page import PAGE, page


def test_the_page_is_that_of_the_settings() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "`make docs` brings it up to the settings"


def test_every_table_has_a_section() -> None:
    text = page()
    assert all(f"\n## [{name}]\n" in text for name in Settings.model_fields)
