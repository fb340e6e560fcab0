"""A transaction pooler in front of the server; these tests are collected where the command `pgbouncer` is."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

import toolkit

# Debian keeps it where not everybody looks.
PGBOUNCER = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")

collect_ignore_glob = [] if PGBOUNCER else ["*"]

SESSIONS = 2
"""Of the server, for all clients of a database together."""

SETTINGS = """
[databases]
* = host={host} port={port}

[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {listen_port}
unix_socket_dir =
auth_type = trust
auth_file = {folder}/users.txt
pool_mode = transaction
default_pool_size = {sessions}
log_connections = 0
log_disconnections = 0
log_pooler_errors = 0
log_stats = 0
"""


def free_port() -> int:
    with socket.socket() as chosen:
        chosen.bind(("127.0.0.1", 0))
        port: int = chosen.getsockname()[1]
        return port


def as_user(host: str) -> list[str]:
    """PgBouncer refuses to run as root; whom the folder of the server's socket belongs to can enter it."""
    if os.geteuid() != 0:
        return []
    return ["--user", Path(host).owner() if host.startswith("/") else "nobody"]


@pytest.fixture(scope="session")
def pooler(server: sa.URL) -> Iterator[Callable[[str], str]]:
    """PgBouncer in transaction mode; what it yields leads the URL of a database through it."""
    assert PGBOUNCER
    port = free_port()
    # Not under pytest's folder, which no other user can enter.
    folder = Path(tempfile.mkdtemp(dir="/tmp"))
    folder.chmod(0o755)
    host = server.query.get("host") or server.host or "localhost"
    settings = SETTINGS.format(host=host, port=server.port or 5432, listen_port=port, folder=folder, sessions=SESSIONS)
    (folder / "pgbouncer.ini").write_text(settings, encoding="utf-8")
    (folder / "users.txt").write_text(f'"{server.username}" "{server.password or ""}"\n', encoding="utf-8")
    command = [PGBOUNCER, *as_user(str(host)), str(folder / "pgbouncer.ini")]
    running = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert running.stderr
    said = []
    for line in running.stderr:
        said.append(line)
        if "process up" in line:
            break
    assert running.poll() is None, "".join(said)

    def through(url: str) -> str:
        pooled = sa.make_url(url).set(host="127.0.0.1", port=port, query={})
        return pooled.render_as_string(hide_password=False)

    yield through
    running.terminate()
    running.wait(timeout=30)
    running.stderr.close()
    shutil.rmtree(folder)


@pytest.fixture(params=["postgresql", "production"])
def kind(request: pytest.FixtureRequest) -> str:
    """Which kind of database: a pooler stands in front of a server only."""
    return str(request.param)


@pytest.fixture
def direct_url(new_database: Callable[[str], str], kind: str) -> str:
    """The URL of a fresh database, past the pooler."""
    return new_database(kind)


@pytest.fixture
def database_url(pooler: Callable[[str], str], direct_url: str) -> str:
    """The URL of the same database through the pooler."""
    return pooler(direct_url)


@pytest.fixture
def service(database_url: str) -> Iterator[toolkit.UnifiedDataService]:
    """A service that works through the pooler."""
    with toolkit.connect(database_url) as connected:
        yield connected
