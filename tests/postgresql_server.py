"""A PostgreSQL server of one's own for tests, in a temporary folder; as unlike a plain one as a server may be.

pytest-postgresql and its like start none as root, where a test run in a container is at home; this needs no more lines
than to work around that.
"""

import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import URL, make_url

OWNER, PASSWORD = "daemon", "p@ss/w%rd: #1"
"""The role that tests work as: no superuser, and a password with all that a URL has to quote."""
# What an administrator may well have set, and nothing may depend on: its zone, its order of letters, its digits.
UNUSUAL = """
timezone = 'Asia/Kolkata'
datestyle = 'SQL, DMY'
intervalstyle = 'postgres_verbose'
extra_float_digits = 0
default_transaction_isolation = 'repeatable read'
fsync = off
listen_addresses = '127.0.0.1'
"""


def find_binaries() -> Path | None:
    """The folder of initdb, pg_ctl and postgres: on the path, or Debian's newest; None without a server."""
    found = shutil.which("initdb")
    folders = [Path(found).resolve().parent] if found else sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    return folders[-1] if folders else None


@dataclass(frozen=True)
class PostgresqlServer:
    """One running server."""

    binaries: Path
    folder: Path
    port: int

    def url(self, database: str, *, role: str = OWNER, password: str | None = PASSWORD) -> str:
        """The `storage.url` of a database."""
        url = URL.create("postgresql", role, password, "127.0.0.1", self.port, database)
        return url.render_as_string(hide_password=False)

    def execute(self, *statements: str, database: str = "postgres") -> None:
        """Runs SQL as the superuser, each statement by itself."""
        with psycopg.connect(
            host="127.0.0.1", port=self.port, dbname=database, user="postgres", password=PASSWORD, autocommit=True
        ) as conn:
            for statement in statements:
                conn.execute(statement.encode())

    def new_database(self, *, template: str = "template0") -> str:
        """The URL of a new database: empty, or a copy of another one that nobody has open."""
        name = f"signals_{secrets.token_hex(6)}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template} OWNER {OWNER}")
        return self.url(name)

    def drop(self, url: str) -> None:
        """Takes a database away, whoever has it open."""
        self.execute(f"DROP DATABASE {make_url(url).database} WITH (FORCE)")

    def start(self) -> None:
        """Starts the server and waits until it answers."""
        options = f"-p {self.port} -k {self.folder}"
        _run(self.binaries / "pg_ctl", "-D", self._data, "-w", "-l", self.folder / "log", "-o", options, "start")

    def stop(self) -> None:
        """Ends it at once, as a power cut would."""
        _run(self.binaries / "pg_ctl", "-D", self._data, "-w", "-m", "immediate", "stop")

    def kill(self) -> None:
        """kill -9 of the server's first process; the others end by themselves."""
        os.kill(int((self._data / "postmaster.pid").read_text().split()[0]), signal.SIGKILL)

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    def make(self) -> None:
        """A new cluster with the role OWNER in it, started."""
        password = self.folder / "password"
        password.write_text(PASSWORD)
        _own(password)
        icu = ("--locale-provider=icu", "--icu-locale=en-US", "--encoding=UTF8", "--locale=C")
        _run(self.binaries / "initdb", "-D", self._data, "-U", "postgres", "-A", "scram-sha-256", "--no-sync",
             f"--pwfile={password}", *icu)  # fmt: skip
        with (self._data / "postgresql.conf").open("a") as settings:
            settings.write(UNUSUAL)
        self.start()
        self.execute(f"CREATE ROLE {OWNER} LOGIN PASSWORD '{PASSWORD}'")


@contextmanager
def postgresql_server(binaries: Path) -> Iterator[PostgresqlServer]:
    """A new server, gone with all it held when the block ends."""
    with tempfile.TemporaryDirectory(prefix="postgresql-") as name:
        _own(Path(name))
        server = PostgresqlServer(binaries, Path(name), _free_port())
        server.make()
        try:
            yield server
        finally:
            server.stop()


def _run(program: Path, *arguments: object) -> None:
    """The server refuses to be run by root: then it is run by another user."""
    user = _other_user()
    who: dict[str, Any] = {} if user is None else {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    said = subprocess.run(
        [program, *map(str, arguments)], capture_output=True, text=True, check=False, timeout=60, cwd="/", **who
    )
    if said.returncode:
        raise RuntimeError(f"{program.name} failed: {said.stdout}{said.stderr}")


def _own(path: Path) -> None:
    user = _other_user()
    if user is not None:
        os.chown(path, user.pw_uid, user.pw_gid)


def _other_user() -> pwd.struct_passwd | None:
    return pwd.getpwnam("nobody") if os.geteuid() == 0 else None


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
    return port
