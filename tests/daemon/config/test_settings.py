import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import tomli_w
from annotated_types import Ge, Gt, Le, Lt
from hypothesis import given
from hypothesis import strategies as st

from daemon.config.overrides import Key, leaf_keys, variable_of
from daemon.config.settings import Settings, describe, load_settings
from daemon.errors import ConfigError
from ensemble.model import CONTEXT_FEATURES
from ensemble.options import Options

ROOT = Path(__file__).parents[3]
SHIPPED = ROOT / "config.toml"
LETTERS = "aZ9\u00e9\u20b9 .,^[]{}=#'\"\\\n\t"
"""What could confuse a reader or a writer of TOML."""


def load(folder: Path, text: str, environ: Mapping[str, str] | None = None) -> Settings:
    path = folder / "config.toml"
    path.write_text(text, encoding="utf-8")
    return load_settings(path, environ or {})


def refusal(folder: Path, text: str, environ: Mapping[str, str] | None = None) -> str:
    with pytest.raises(ConfigError) as caught:
        load(folder, text, environ)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_without_file_and_variables_all_is_default_and_the_state_is_here() -> None:
    settings = load_settings(None, {}, config_paths=())
    assert settings.risk == Settings().risk
    assert settings.market.symbols == ("RELIANCE.NS",)
    assert settings.storage.state_dir == Path.cwd() / "state"


def test_the_context_that_the_stack_looks_at_is_in_the_default_configuration() -> None:
    configured = {symbol for symbols in Settings().market.context.values() for symbol in symbols}
    assert {name.split()[0] for name in CONTEXT_FEATURES} <= configured


def test_the_first_of_the_usual_places_counts(tmp_path: Path) -> None:
    places = (tmp_path / "absent.toml", tmp_path / "first.toml", tmp_path / "second.toml")
    places[1].write_text("[risk]\nlot_size = 2\n", encoding="utf-8")
    places[2].write_text("[risk]\nlot_size = 3\n", encoding="utf-8")
    assert load_settings(None, {}, config_paths=places).risk.lot_size == 2


def test_a_given_file_goes_before_the_usual_places(tmp_path: Path) -> None:
    usual, given_path = tmp_path / "usual.toml", tmp_path / "given.toml"
    usual.write_text("[risk]\nlot_size = 2\n", encoding="utf-8")
    given_path.write_text("[risk]\nlot_size = 3\n", encoding="utf-8")
    assert load_settings(given_path, {}, config_paths=(usual,)).risk.lot_size == 3


def test_relative_folders_start_at_the_configuration(tmp_path: Path) -> None:
    settings = load(tmp_path, '[storage]\nstate_dir = "kept"\n[feed.files]\npath = "../bars"\n')
    assert settings.storage.state_dir == tmp_path / "kept"
    assert settings.feed.files.path == tmp_path / "../bars"


def test_absolute_folders_stay(tmp_path: Path) -> None:
    settings = load(tmp_path, '[storage]\nstate_dir = "/var/lib/reliance-daemon"\n')
    assert settings.storage.state_dir == Path("/var/lib/reliance-daemon")


def test_database_and_models_are_in_the_state_unless_a_url_is_given(tmp_path: Path) -> None:
    storage = load(tmp_path, "").storage
    assert storage.database_url == f"sqlite:///{tmp_path}/state/signals.db"
    assert storage.models_dir == tmp_path / "state" / "models"
    url = "postgresql+psycopg://daemon@localhost/signals"
    assert load(tmp_path, f'[storage]\nurl = "{url}"\n').storage.database_url == url


def test_a_byte_order_mark_and_windows_line_ends_are_read(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes(b"\xef\xbb\xbf[risk]\r\nlot_size = 2\r\n")
    assert load_settings(path, {}).risk.lot_size == 2


WRONG_VALUES = {
    "[risk]\nposition_pct = 140": "risk.position_pct was 140; it must be at most 100.",
    "[risk]\nstop_loss_pct = 0": "risk.stop_loss_pct was 0; it must be above 0.",
    "[risk]\nmax_positions = 0": "risk.max_positions was 0; it must be at least 1.",
    "[signals]\nmin_confidence = 1.0": "signals.min_confidence was 1; it must be below 1.",
    "[risk]\nlot_size = 1.5": "risk.lot_size was 1.5; it must be a whole number.",
    '[risk]\nstop_loss_pct = "two"': 'risk.stop_loss_pct was "two"; it must be a number.',
    "[risk]\nstop_loss_pct = [2]": "risk.stop_loss_pct: it must be a number.",
    '[feed]\nprovider = "ya"': "feed.provider was \"ya\"; it must be 'yahoo', 'files' or 'sample'.",
    "risk = 3": "risk was 3; it must be a table.",
    '[market]\nsymbols = "TCS.NS"': 'market.symbols was "TCS.NS"; it must be a list in brackets.',
    "[market]\nsymbols = []": "market.symbols: it must hold 1 or more.",
    "[market]\nhistory_start = 1970-01-01": ("market.history_start was 1970-01-01; it must be at least 1980-01-01."),
    '[market]\nhistory_start = "soon"': ('market.history_start was "soon"; it must be a date such as 2006-01-19.'),
    '[schedule]\ndecision_time = "dawn"': (
        'schedule.decision_time was "dawn"; it must be a time of day such as "08:45".'
    ),
    '[market]\nexchange = "XNSEE"': 'market.exchange was "XNSEE"; did you mean "XNSE"?',
    '[market.context]\nXNYX = ["SPY"]': 'unknown key market.context.XNYX; did you mean "XNYS"?',
    '[storage]\nurl = "signals.db"': ('storage.url was "signals.db"; it must match ^(sqlite|postgresql)(\\+\\w+)?://.'),
    '[[ensemble.members]]\nkind = "lst"': (
        "ensemble.members[0]: it must name a kind among 'lstm', 'logit', 'lightgbm'."
    ),
    '[[ensemble.members]]\nname = "mine"': "ensemble.members[0].units is missing; add it.",
}


@pytest.mark.parametrize(("text", "message"), WRONG_VALUES.items())
def test_a_wrong_value_is_told_with_key_value_and_rule(tmp_path: Path, text: str, message: str) -> None:
    assert refusal(tmp_path, text) == message


@pytest.mark.parametrize("text", ["nan", "inf", "-inf"])
def test_a_figure_that_is_no_number_is_refused_everywhere(tmp_path: Path, text: str) -> None:
    figures = [key for key in leaf_keys(Settings) if isinstance(valued(Settings(), key), float)]
    assert len(figures) > 5
    for *tables, name in figures:
        message = refusal(tmp_path, f"[{'.'.join(tables)}]\n{name} = {text}\n")
        assert message.startswith(f"{'.'.join(tables)}.{name} was {text}; it must be ")


@pytest.mark.parametrize("symbol", ["", "../etc", "A/B", ".NS", "-A", "A B", "A" * 21, "RELIANCE.NS\\n", "\\u20b9"])
def test_a_symbol_that_could_be_no_file_name_is_refused(tmp_path: Path, symbol: str) -> None:
    message = refusal(tmp_path, f'[market]\nsymbols = ["TATASTEEL.NS", "{symbol}"]\n')
    assert message.startswith('market.symbols[1] was "')
    assert message.endswith('; it must be a symbol of Yahoo, such as "RELIANCE.NS", "^NSEI" or "CL=F".')


@pytest.mark.parametrize(
    "symbol", ["RELIANCE.NS", "M&M.NS", "BAJAJ-AUTO.NS", "^CNXENERGY", "INR=X", "CL=F", "500325.BO"]
)
def test_the_symbols_of_yahoo_are_taken(tmp_path: Path, symbol: str) -> None:
    text = f'[market]\nsymbols = ["{symbol}"]\npeers = []\ncontext = {{}}\n'
    assert load(tmp_path, text).market.symbols == (symbol,)


@pytest.mark.parametrize(
    "text",
    [
        'symbols = ["INFY.NS"]',
        'peers = ["RELIANCE.NS"]',
        'symbols = ["SBIN.NS", "SBIN.NS"]',
        'symbols = ["^NSEI"]',
        'context = {XNYS = ["SPY"], XLON = ["SPY"]}',
    ],
)
def test_a_symbol_stands_once_among_symbols_peers_and_context(tmp_path: Path, text: str) -> None:
    message = refusal(tmp_path, f"[market]\n{text}\n")
    assert re.fullmatch(r'market: "\S+" stands twice in symbols, peers and context; list it once\.', message)


def test_a_delay_that_hides_yesterday_from_today_is_refused(tmp_path: Path) -> None:
    load(tmp_path, "[feed]\ndelay_min = 1035")
    message = refusal(tmp_path, "[feed]\ndelay_min = 1036")
    assert message.startswith("feed.delay_min was 1036; it must be at most 1035, so that a session's bar is known")


def test_an_exchange_that_opens_the_evening_before_cannot_be_traded(tmp_path: Path) -> None:
    assert 'market.exchange was "CMES"' in refusal(tmp_path, '[market]\nexchange = "CMES"')


def test_a_decision_after_the_open_is_refused(tmp_path: Path) -> None:
    message = "schedule.decision_time was 09:15; it must lie before XNSE opens, 09:15."
    assert refusal(tmp_path, '[schedule]\ndecision_time = "09:15"\n') == message
    american = '[market]\nexchange = "XNYS"\n[schedule]\ndecision_time = 09:15:00\n'
    assert load(tmp_path, american).schedule.decision_time.minute == 15


@pytest.mark.parametrize("text", ['"08:45:30"', '"08:45+05:30"', '"08:45Z"'])
def test_a_decision_time_is_a_minute_of_the_local_clock(tmp_path: Path, text: str) -> None:
    message = refusal(tmp_path, f"[schedule]\ndecision_time = {text}\n")
    assert "it must be a whole minute on the exchange's own clock" in message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "[signals]\nmin_confidense = 0.8",
            'unknown key signals.min_confidense; did you mean "min_confidence"?',
        ),
        ("[signal]\nmin_confidence = 0.8", 'unknown key signal; did you mean "signals"?'),
        (
            "[risk]\nmin_confidence = 0.8",
            'unknown key risk.min_confidence; did you mean "signals.min_confidence"?',
        ),
        ("[feed.files]\npaths = 'x'", 'unknown key feed.files.paths; did you mean "path"?'),
        ("[costs]\nbrokers = 1", 'unknown key costs.brokers; did you mean "brokerage_bp"?'),
        (
            "[costs]\nrounding = 1",
            "unknown key costs.rounding; it must be one of brokerage_bp, brokerage_max, commission_bp, "
            "delivery_brokerage_bp, schedule, slippage_bp.",
        ),
        (
            "[[ensemble.members]]\npreset = 'wider'\ndropot = 0.5",
            'unknown key ensemble.members[0].dropot; did you mean "dropout"?',
        ),
    ],
)
def test_an_unknown_key_gets_the_likely_one(tmp_path: Path, text: str, message: str) -> None:
    assert refusal(tmp_path, text) == message


def test_a_member_s_value_is_named_as_the_file_has_it(tmp_path: Path) -> None:
    text = '[[ensemble.members]]\npreset = "logit"\n[[ensemble.members]]\npreset = "wider"\ndropout = 1.5\n'
    assert refusal(tmp_path, text) == "ensemble.members[1].dropout was 1.5; it must be below 1."


def test_of_several_errors_the_first_is_told_and_the_others_counted(tmp_path: Path) -> None:
    text = "[risk]\nposition_pct = 140\nlot_size = 0\n[costs]\nslippage_bp = -1\n"
    assert refusal(tmp_path, text) == "risk.position_pct was 140; it must be at most 100. (and 2 more)"


def values() -> st.SearchStrategy[Any]:
    simple = st.booleans() | st.integers(-5, 500) | st.floats() | st.text(LETTERS, max_size=5) | st.dates() | st.times()
    return st.recursive(simple, lambda inner: st.lists(inner, max_size=2) | documents(inner), max_leaves=4)


def documents(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    names = sorted({name for key in leaf_keys(Settings) for name in key} | {"kind", "preset", "XNYS", "[key]"})
    return st.dictionaries(st.sampled_from(names), inner, max_size=3)


@given(document=st.dictionaries(st.sampled_from(list(Settings.model_fields)), documents(values()), max_size=3))
def test_whatever_stands_in_the_file_gives_settings_or_one_line(document: dict[str, Any]) -> None:
    with TemporaryDirectory() as folder:
        assert re.fullmatch(r"[^\n]+[.?)]", verdict(Path(folder), tomli_w.dumps(document)))


def verdict(folder: Path, text: str) -> str:
    try:
        load(folder, text)
    except ConfigError as error:
        return str(error)
    return "in order."


def test_a_long_value_is_cut_and_stays_on_one_line(tmp_path: Path) -> None:
    message = refusal(tmp_path, f'[feed]\nprovider = "a\\nb{"c" * 500}"\n')
    assert message.startswith('feed.provider was "a\\nbccc')
    assert len(message) < 200


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[risk]\nlot_size = \n", "line 2: invalid value; mend that line."),
        ("[risk]\n\nlot_size 2\n", "line 3: expected '=' after a key in a key/value pair; mend that line."),
        ('[risk]\nname = "x', "line 2: "),
        ("[risk]\nlot_size = 1\nlot_size = 2\n", "line 3: cannot overwrite a value; mend that line."),
    ],
)
def test_broken_toml_is_told_with_file_and_line(tmp_path: Path, text: str, message: str) -> None:
    assert refusal(tmp_path, text).startswith(f"{tmp_path}/config.toml, {message}")


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^configuration \S+/none.toml was not found; give --config the path"):
        load_settings(tmp_path / "none.toml", {})


def test_a_file_that_cannot_be_read_is_told_and_not_passed_over(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"could not be read \(Is a directory\); mend that or give another"):
        load_settings(None, {}, config_paths=(tmp_path, SHIPPED))


def test_a_file_that_is_no_utf8_is_told(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes('[market]\nexchange = "é"\n'.encode("latin-1"))
    with pytest.raises(ConfigError, match=r"is no UTF-8 text; save it as UTF-8\."):
        load_settings(path, {})


def test_a_configuration_error_ends_with_code_78() -> None:
    assert ConfigError("x").exit_code == 78


@pytest.mark.parametrize(
    ("variable", "text", "value"),
    [
        ("RISK__STOP_LOSS_PCT", "3", 3.0),
        ("SIGNALS__LABEL", "gap", "gap"),
        ("SIGNALS__LABEL", '"gap"', "gap"),
        ("MARKET__SYMBOLS", '["SBIN.NS", "LT.NS"]', ("SBIN.NS", "LT.NS")),
        ("MARKET__CONTEXT", '{XNYS = ["SPY"]}', {"XNYS": ("SPY",)}),
        ("STORAGE__STATE_DIR", "/srv/state", Path("/srv/state")),
        ("STORAGE__URL", "sqlite:///x.db", "sqlite:///x.db"),
        ("ENSEMBLE__STACK__COMBINE", "mean", "mean"),
    ],
)
def test_a_variable_goes_before_the_file(tmp_path: Path, variable: str, text: str, value: object) -> None:
    file = '[risk]\nstop_loss_pct = 5\n[signals]\nlabel = "close_to_close"\n[storage]\nurl = "sqlite:///y.db"\n'
    settings = load(tmp_path, file, {f"RELIANCE_DAEMON__{variable}": text, "PATH": "/bin"})
    assert valued(settings, tuple(variable.lower().split("__"))) == value


def test_the_trade_that_is_asked_about_is_the_one_made_where_its_label_is_traded(tmp_path: Path) -> None:
    other = "[risk]\nstop_loss_pct = 3\nmax_holding_sessions = 5\n"
    assert load(tmp_path, other).labels == Settings().labels
    assert refusal(tmp_path, other + '[signals]\nlabel = "barrier"\n') == (
        "labels.barrier.stop_loss_pct was 2 and risk.stop_loss_pct 3; where the label barrier is traded they must be "
        "the same (another question trains all models anew)."
    )
    both = other + '[labels.barrier]\nstop_loss_pct = 3\nmax_holding_sessions = 5\n[signals]\nlabel = "barrier"\n'
    assert load(tmp_path, both).labels.barrier.limits.max_holding_sessions == 5


def test_a_variable_with_a_wrong_value_is_named(tmp_path: Path) -> None:
    message = refusal(tmp_path, "", {"RELIANCE_DAEMON__RISK__POSITION_PCT": "140"})
    assert message == ("risk.position_pct was 140 in RELIANCE_DAEMON__RISK__POSITION_PCT; it must be at most 100.")


@pytest.mark.parametrize(
    ("variable", "hint"),
    [
        ("RELIANCE_DAEMON__RISK__STOP_LOS_PCT", "did you mean RELIANCE_DAEMON__RISK__STOP_LOSS_PCT?"),
        ("RELIANCE_DAEMON__", "write RELIANCE_DAEMON__TABLE__KEY, or unset it."),
    ],
)
def test_an_unknown_variable_is_refused(tmp_path: Path, variable: str, hint: str) -> None:
    assert refusal(tmp_path, "", {variable: "3"}) == f"unknown variable {variable}; {hint}"


def test_a_value_of_a_variable_sets_no_second_key(tmp_path: Path) -> None:
    message = refusal(tmp_path, "", {"RELIANCE_DAEMON__RISK__LOT_SIZE": "2\nmore = 3"})
    assert message.startswith('risk.lot_size was "2\\nmore = 3" in ')


def test_a_variable_for_a_table_that_the_file_has_wrong_leaves_the_blame_with_the_file(
    tmp_path: Path,
) -> None:
    message = refusal(tmp_path, "risk = 3\n", {"RELIANCE_DAEMON__RISK__LOT_SIZE": "2"})
    assert message == "risk was 3; it must be a table."


def test_described_settings_are_read_back_to_the_same(tmp_path: Path) -> None:
    settings = load(tmp_path, '[storage]\nurl = "sqlite:///x.db"\n[feed.files]\npath = "bars"\n')
    assert load(tmp_path, describe(settings)) == settings
    assert load(tmp_path, describe(Settings())) == load(tmp_path, "")


@given(
    path=st.text(LETTERS, min_size=1),
    symbols=st.lists(st.sampled_from(("SBIN.NS", "M&M.NS", "^BSESN", "SI=F")), min_size=1, unique=True),
    confidence=st.floats(0.5, 1, exclude_max=True),
)
def test_whatever_is_set_is_described_so_that_it_is_read_back(path: str, symbols: list[str], confidence: float) -> None:
    document = {
        "market": {"symbols": symbols},
        "storage": {"state_dir": f"/{path}"},
        "signals": {"min_confidence": confidence},
    }
    settings = Settings.model_validate(document)
    assert Settings.model_validate(tomllib.loads(describe(settings))) == settings


def test_a_list_is_described_in_one_line() -> None:
    assert '\nXNSE = ["^NSEI", "^CNXENERGY", "^INDIAVIX"]\n' in describe(Settings())


def test_settings_are_frozen() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Settings().risk.__setattr__("lot_size", 2)


def test_reading_the_settings_loads_no_heavy_library() -> None:
    heavy = ("tensorflow", "lightgbm", "yfinance", "exchange_calendars", "sklearn", "talib", "sqlalchemy")
    code = f"import sys, daemon.config.settings; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_the_shipped_file_holds_the_defaults() -> None:
    assert Settings.model_validate(tomllib.loads(SHIPPED.read_text(encoding="utf-8"))) == Settings()


def test_the_shipped_file_has_every_key_and_no_other() -> None:
    every = set(leaf_keys(Settings))
    without_default = {key for key in every if valued(Settings(), key) is None}
    assert set(commented_keys()) == without_default
    assert set(active_keys(tomllib.loads(SHIPPED.read_text(encoding="utf-8")), Settings)) == every - without_default


def test_the_shipped_file_tells_the_range_and_the_default_of_every_key() -> None:
    comments = dict(explained_keys())
    for key in leaf_keys(Settings):
        if key in (("market", "context"), ("ensemble", "members")):
            continue  # tables: told in prose
        comment = comments[key]
        assert "default" in comment, key
        for figure in figures_of(key):
            assert figure in re.findall(r"[\w.-]*\w", comment), (key, figure)


def test_the_variable_of_a_key_is_its_path_in_capitals() -> None:
    assert variable_of(("feed", "files", "path")) == "RELIANCE_DAEMON__FEED__FILES__PATH"


def valued(settings: Settings, key: Key) -> Any:
    value: Any = settings
    for name in key:
        value = getattr(value, name)
    return value


def active_keys(table: Mapping[str, Any], model: type[Options]) -> Iterator[Key]:
    for name, value in table.items():
        inner = model.model_fields[name].annotation
        if isinstance(inner, type) and issubclass(inner, Options):
            yield from ((name, *key) for key in active_keys(value, inner))
        else:
            yield (name,)


def shipped_lines() -> Iterator[tuple[Key, str]]:
    """Each line of the shipped file with the table it stands in."""
    table: Key = ()
    for line in SHIPPED.read_text(encoding="utf-8").splitlines():
        head = re.fullmatch(r"\[([\w.]+)\]", line)
        table = tuple(head[1].split(".")) if head else table
        yield table, line


def commented_keys() -> Iterator[Key]:
    for table, line in shipped_lines():
        if found := re.match(r"# (\w+) = ", line):
            yield (*table, found[1])


def explained_keys() -> Iterator[tuple[Key, str]]:
    """Each key with the comment above it."""
    comment: list[str] = []
    for table, line in shipped_lines():
        if found := re.match(r"(?:# )?(\w+) = ", line):
            yield (*table, found[1]), " ".join(comment)
            comment = []
        elif line.startswith("# "):
            comment.append(line.removeprefix("# "))
        else:
            comment = []


def figures_of(key: Key) -> Iterator[str]:
    """The bounds and the default of a key, as a person would write them."""
    model: Any = Settings
    for name in key[:-1]:
        model = model.model_fields[name].annotation
    field = model.model_fields[key[-1]]
    for rule in field.metadata:
        bounds = [getattr(rule, name) for name in ("ge", "gt", "le", "lt") if hasattr(rule, name)]
        if isinstance(rule, Ge | Gt | Le | Lt):
            yield from (written(bound) for bound in bounds)
    if isinstance(field.default, float | int):
        yield written(field.default)


def written(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float | int):
        return f"{value:.0f}" if value == int(value) and value < 1e9 else f"{value:g}".replace("e+", "e")
    return str(value)


def test_a_champion_may_not_grow_older_than_the_gate_lets_act(tmp_path: Path) -> None:
    tried = '[promotion]\npolicy = "better"\nmax_age_months = 4\n[signals]\nmax_model_age_months = {0}\n'
    told = refusal(tmp_path, tried.format(3))
    assert "signals.max_model_age_months was 3 and promotion.max_age_months 4 with promotion.policy" in told
    assert "leave the first out or set it to 4" in told
    assert load(tmp_path, tried.format(4)).promotion.tries


@pytest.mark.parametrize(
    ("table", "held"),
    [
        ('[promotion]\npolicy = "unless_worse"\n', 3),
        ('[promotion]\npolicy = "better"\nmax_age_months = 6\n', 6),
        ('[promotion]\npolicy = "better"\n[signals]\nmax_model_age_months = 12\n', 12),
        ("[promotion]\nmax_age_months = 6\n", 2),
        ('[promotion]\npolicy = "manual"\n', 2),
        ('[ensemble]\nretrain = "quarterly"\n', 6),
        ('[ensemble]\nretrain = "quarterly"\n[signals]\nmax_model_age_months = 1\n', 1),
        ('[ensemble]\nretrain = "quarterly"\n[promotion]\npolicy = "better"\n', 9),
        ('[ensemble]\nretrain = "quarterly"\n[promotion]\npolicy = "better"\nmax_age_months = 4\n', 4),
    ],
)
def test_where_versions_are_tried_a_signal_waits_for_no_younger_one_by_default(
    table: str, held: int, tmp_path: Path
) -> None:
    assert load(tmp_path, table).signals.max_model_age_months == held


def test_a_quarterly_champion_may_not_be_too_old_while_its_first_challenger_is_tried(tmp_path: Path) -> None:
    tried = '[ensemble]\nretrain = "quarterly"\n[promotion]\npolicy = "{0}"\nmax_age_months = 3\n'
    told = refusal(tmp_path, tried.format("better"))
    assert 'promotion.max_age_months was 3 with ensemble.retrain "quarterly"' in told
    assert "leave it out or set it to at least 4" in told
    assert load(tmp_path, tried.format("newest")).promotion.max_age_months == 3  # of which it makes no use


def test_a_wrong_promotion_table_is_told_of_as_such(tmp_path: Path) -> None:
    assert "promotion.max_age_months was 1" in refusal(tmp_path, '[promotion]\npolicy = "better"\nmax_age_months = 1\n')
