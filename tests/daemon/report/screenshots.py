"""The pictures of the report in docs/images, from the demo's sample bars: `make screenshots`. It takes some minutes."""

import sys
import tempfile
from pathlib import Path

from loguru import logger

from daemon.report.material import Asked
from daemon.report.write import write_report
from storage.engine import open_store
from tests.daemon.report import chromium
from tests.daemon.report.demo_history import NOW, live_through, replay, write_configuration

FOLDER = Path(__file__).parents[3] / "docs" / "images"
PICTURES = (
    ("report-desktop-light", 1280, False, "today", 1840),
    ("report-desktop-dark", 1280, True, "equity-live", 1560),
    ("report-phone-light", 390, False, "today", 1400),
    ("report-phone-dark", 390, True, "reliability-live", 1400),
)
"""Name, width in pixels, whether dark, the section it begins with ("today": with the heading), height in pixels."""


def take(report: Path, folder: Path) -> None:
    """Writes every picture."""
    folder.mkdir(parents=True, exist_ok=True)
    with chromium.page() as page:
        for name, width, dark, section, height in PICTURES:
            page.open(report, width=width, dark=dark)
            top = page.value(f"document.getElementById('{section}').getBoundingClientRect().top + scrollY")
            page.screenshot(folder / f"{name}.png", top=0 if section == "today" else top - 16, height=height)


def main() -> int:
    """Exit 1 where there is no Chromium."""
    if chromium.program() is None:
        sys.stderr.write("no Chromium was found; install one, on Debian `apt-get install chromium`.\n")
        return 1
    logger.remove()
    with tempfile.TemporaryDirectory() as folder:
        settings = write_configuration(Path(folder))
        live_through(settings)
        replay(settings)
        engine = open_store(settings.storage.database_url, read_only=True)
        report = Path(folder) / "report.html"
        try:
            write_report(engine, settings, Asked(), now=NOW, path=report)
        finally:
            engine.dispose()
        take(report, FOLDER)
    return 0


if __name__ == "__main__":
    sys.exit(main())
