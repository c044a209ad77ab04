from datetime import UTC, date, datetime, timedelta, timezone

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.column_types import instant_text, session_text

MOMENTS = st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


@given(earlier=MOMENTS, later=MOMENTS)
def test_texts_of_instants_sort_as_the_instants_do(earlier: datetime, later: datetime) -> None:
    earlier, later = sorted([earlier.replace(microsecond=0), later.replace(microsecond=0)])
    assert (instant_text(earlier) < instant_text(later)) == (earlier < later)
    assert datetime.fromisoformat(instant_text(later)) == later


def test_an_instant_is_kept_in_utc_to_the_second() -> None:
    india = timezone(timedelta(hours=5, minutes=30))
    assert instant_text(datetime(2021, 10, 1, 8, 45, 0, 999_999, tzinfo=india)) == "2021-10-01T03:15:00Z"


def test_an_instant_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="it must carry a time zone"):
        instant_text(datetime(2021, 10, 1))  # noqa: DTZ001


def test_a_session_is_its_date_however_it_is_given() -> None:
    assert session_text(date(2021, 10, 1)) == session_text(pd.Timestamp("2021-10-01")) == "2021-10-01"
