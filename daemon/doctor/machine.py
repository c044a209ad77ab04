"""Does the machine do its part: clock and time zones, the calendar's years, room on the disk, the unit of systemd."""

import shutil
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from daemon.doctor.finding import Finding, fail, ok, warn
from ensemble.counted import counted
from ensemble.sessions import EXCHANGES

UNIT = "reliance-daemon.service"
YEARS = (2020, 2100)
"""Outside of these a clock was never set."""
CALENDAR_WARNING_DAYS = 60
LITTLE_ROOM, NO_ROOM = 2e9, 2e8
"""Bytes. A year of models takes some hundred megabytes, a month of training leaves a few."""
ROOM_IN_DATABASES = 4
"""A backup, a restore and an upgrade each take the database's size once more, for a while."""


def clock_finding(now: datetime, exchanges: Iterable[str], newest_bar: date | None) -> Finding:
    """Can the clock be right? It can't be before the newest stored bar."""
    if not YEARS[0] <= now.year < YEARS[1]:
        return fail("clock", f"{now:%Y-%m-%d %H:%M}Z", "set the machine's clock, e.g. `timedatectl set-ntp true`.")
    if newest_bar is not None and now.date() < newest_bar:
        return fail(
            "clock",
            f"{now:%Y-%m-%d %H:%M}Z is before the newest bar, {newest_bar}",
            "set the machine's clock, e.g. `timedatectl set-ntp true`.",
        )
    zones = sorted({EXCHANGES[exchange].zone for exchange in exchanges})
    missing = [zone for zone in zones if not _has_zone(zone)]
    if missing:
        return fail("clock", f"no time zone data for {', '.join(missing)}", "install the package tzdata.")
    return ok("clock", f"{now:%Y-%m-%d %H:%M}Z; time zone data for {', '.join(zones)}")


def calendar_end_finding(exchange: str, end: date | None, today: date) -> Finding:
    """Until when are the holidays of the traded exchange known?"""
    if end is None:
        return ok("calendar", f"the holidays of {exchange} follow rules without an end")
    left_days = (end - today).days
    if left_days >= CALENDAR_WARNING_DAYS:
        return ok("calendar", f"the holidays of {exchange} are known until {end}")
    when = f"end on {end}, in {counted(left_days, 'day')}" if left_days >= 0 else f"ended on {end}"
    return warn(
        "calendar",
        f"the known holidays of {exchange} {when}; after that every Monday to Friday is a provisional session",
        "install a newer reliance-daemon, or write the holidays into calendar.overrides (docs/calendar.md).",
    )


def bars_finding(lines: Sequence[str]) -> Finding:
    """Do the bars of a year contradict the calendar?"""
    if not lines:
        return ok("sessions", "calendar and bars of the last year agree")
    return warn("sessions", "; ".join(lines), "see docs/calendar.md: what is true goes into calendar.overrides.")


def disk_finding(folder: Path, database_bytes: int) -> Finding:
    """Is there room for what a year brings?"""
    there = next(path for path in (folder, *folder.parents) if path.exists())
    return room_finding(there, shutil.disk_usage(there).free, database_bytes)


def room_finding(folder: Path, free_bytes: float, database_bytes: int) -> Finding:
    """The same, told how much is free."""
    seen = f"{free_bytes / 1e9:.1f} GB free at {folder}"
    if free_bytes < max(NO_ROOM, 2 * database_bytes):
        return fail("disk", seen, "free some space: the next training, backup or transaction may fail.")
    if free_bytes < max(LITTLE_ROOM, ROOM_IN_DATABASES * database_bytes):
        return warn("disk", seen, "free some space, or see what `cache prune` can remove.")
    return ok("disk", seen)


def unit_finding() -> Finding:
    """Is the service installed, started at boot, and alive?"""
    if not Path("/run/systemd/system").is_dir() or shutil.which("systemctl") is None:
        return ok("unit", "no systemd here; start `reliance-daemon run` by other means")
    return unit_state_finding(_shown(UNIT))


def unit_state_finding(state: Mapping[str, str]) -> Finding:
    """The same, told what `systemctl show` says."""
    loaded, active = state.get("LoadState", "unknown"), state.get("ActiveState", "unknown")
    enabled = state.get("UnitFileState", "unknown")
    seen = f"{UNIT} is {loaded}, {active}, {enabled}"
    if loaded in ("not-found", "unknown"):
        return warn("unit", seen, "install it as docs/service.md says, unless you start the daemon by other means.")
    if active == "failed" or loaded in ("error", "bad-setting"):
        return fail(
            "unit", seen, f"`journalctl -u {UNIT} -n 20` says why; `systemctl reset-failed` and start it again."
        )
    if active != "active":
        return warn("unit", seen, f"`systemctl start {UNIT}` starts it.")
    if enabled == "disabled":
        return warn("unit", seen, f"`systemctl enable {UNIT}` starts it at the next boot too.")
    return ok("unit", seen)


def _shown(unit: str) -> dict[str, str]:
    words = ["systemctl", "show", unit, "--property=LoadState,ActiveState,UnitFileState"]
    try:
        said = subprocess.run(words, capture_output=True, text=True, timeout=10, check=False).stdout
    except (OSError, subprocess.TimeoutExpired):
        return {}
    return dict(line.split("=", 1) for line in said.splitlines() if "=" in line)


def _has_zone(zone: str) -> bool:
    try:
        ZoneInfo.no_cache(zone)
    except (ZoneInfoNotFoundError, ValueError):
        return False
    return True
