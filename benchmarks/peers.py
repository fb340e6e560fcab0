"""What people would do without the toolkit, as callables to be measured.

Each reads the same columns of the same records, in no order, and hides nothing. `connectorx` and `duckdb` are needed
for two of them only: `pip install connectorx duckdb`.
"""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import sqlalchemy as sa

from benchmarks.reading import BESIDE_OTHERS, FIVE_PATHS
from benchmarks.workers import package

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import pandas as pd
    import pyarrow as pa

    from benchmarks.databases import Place

_FRONT: Final = (
    "record_id, record_type, iteration_node_alias, status, error_message, retry_count, created_at, updated_at, "
    "processed_at"
)
_LESS: Final = "(data - 'history')::text AS data"
"""The documents as the toolkit asks for them: a flat frame leaves out the history."""

_COUNT: Final = (
    "SELECT status, record_type, count(*) FROM workflow_records WHERE workflow_id = {workflow_id} "
    "GROUP BY status, record_type ORDER BY count(*) DESC, status, record_type"
)
_KINDS: Final = """
    SELECT kind, category, count(*) FROM (
        SELECT {type} AS kind,
            CASE WHEN {iteration} THEN 'iteration' WHEN {node} THEN 'node' ELSE 'custom' END AS category
        FROM workflow_memory WHERE workflow_id = {workflow_id}
    ) AS found GROUP BY kind, category ORDER BY kind, category
"""


@contextmanager
def drained_copy(place: Place) -> Iterator[Callable[[], Any]]:
    """Have the server send the columns, whole documents in them, and throw them away."""
    with _psycopg(place) as connection:
        yield lambda: _drain(connection.pgconn, _records(place, "data"))


@contextmanager
def drained_copy_without_history(place: Place) -> Iterator[Callable[[], Any]]:
    """Have the server send what the toolkit asks for, which leaves out the history, and throw it away."""
    with _psycopg(place) as connection:
        yield lambda: _drain(connection.pgconn, _records(place, _LESS))


def _drain(connection: Any, query: str) -> int:
    connection.exec_(f"COPY ({query}) TO STDOUT (FORMAT binary)".encode())
    total = 0
    # psycopg's own loop looks at every row again; what is wanted is the wire.
    while (found := connection.get_copy_data(0))[0] > 0:
        total += found[0]
    while connection.get_result() is not None:
        pass
    return total


@contextmanager
def read_sql(place: Place) -> Iterator[Callable[[], Any]]:
    """Use `pandas.read_sql`, then `json_normalize`."""
    import pandas as pd  # noqa: PLC0415 - here and below: each process loads what it measures, and nothing else

    sqlite = "://" not in place.url
    url = f"sqlite:///{place.url}" if sqlite else place.url.replace("postgresql:", "postgresql+psycopg:", 1)
    engine = sa.create_engine(url)
    statement = sa.text(_records(place, "data" if sqlite else "data - 'history' AS data"))

    def read() -> pd.DataFrame:
        with engine.connect() as connection:
            frame = pd.read_sql(statement, connection)
        documents = [json.loads(text) for text in frame["data"]] if sqlite else frame["data"].tolist()
        return frame.drop(columns="data").join(pd.json_normalize(documents))

    try:
        yield read
    finally:
        engine.dispose()


@contextmanager
def connectorx(place: Place) -> Iterator[Callable[[], Any]]:
    """Use ConnectorX, orjson and `json_normalize`."""
    driver, orjson = package("connectorx"), package("orjson")
    import pandas as pd  # noqa: PLC0415

    url, query = _for_connectorx(place.url), _records(place, _LESS)

    def read() -> pd.DataFrame:
        table = driver.read_sql(url, query, return_type="arrow")
        documents = [orjson.loads(text) for text in table.column("data").to_pylist()]
        front: pd.DataFrame = table.drop_columns(["data"]).to_pandas()
        return front.join(pd.json_normalize(documents))

    yield read


def _for_connectorx(text: str) -> str:
    """Return a URL with a host in it, which ConnectorX wants even where a socket is used."""
    url = sa.make_url(text)
    socket = url.query.get("host")
    if not isinstance(socket, str):
        return text
    plain = url.set(host="localhost", query={}).render_as_string(hide_password=False)
    return f"{plain}?host={quote(socket, safe='')}"


@contextmanager
def duckdb(place: Place) -> Iterator[Callable[[], Any]]:
    """Use ADBC for the rows, and DuckDB's JSON functions for the documents."""
    engine = package("duckdb")
    query = _records(place, _LESS)

    def read() -> pd.DataFrame:
        found = _adbc(place, query)
        with engine.connect() as connection:
            connection.sql("SET enable_progress_bar = false")
            connection.register("found", found)
            structure = connection.sql("SELECT json_group_structure(data::JSON) FROM found").fetchall()[0][0]
            laid_out = connection.sql(
                "SELECT * EXCLUDE (data, document), unnest(document, recursive := true) "
                "FROM (SELECT *, json_transform(data::JSON, $1) AS document FROM found)",
                params=[structure],
            )
            frame: pd.DataFrame = laid_out.to_arrow_table().to_pandas()
            return frame

    yield read


@contextmanager
def five_paths(place: Place) -> Iterator[Callable[[], Any]]:
    """Use the bare ADBC query with the extraction of five places by the server, to an Arrow table."""
    yield lambda: _adbc(place, _extraction(place, FIVE_PATHS))


@contextmanager
def five_paths_beside_others(place: Place) -> Iterator[Callable[[], Any]]:
    """Use the same with the other five."""
    yield lambda: _adbc(place, _extraction(place, BESIDE_OTHERS))


def _extraction(place: Place, paths: Sequence[str]) -> str:
    places = ", ".join(
        "(data" + "".join(f"->'{key}'" for key in path.split(".")) + f')::text AS "{path}"' for path in paths
    )
    return f"SELECT {places} FROM workflow_records WHERE workflow_id = '{place.workflow_id}'"  # noqa: S608 - the benchmark's own id - as below


@contextmanager
def count_records(place: Place) -> Iterator[Callable[[], Any]]:
    """Send the SQL for it."""
    with _statements(place) as run:
        yield lambda: run(_COUNT)


@contextmanager
def get_stats(place: Place) -> Iterator[Callable[[], Any]]:
    """Send the SQL for it: variables by type and category, records by status and type."""
    if "://" in place.url:
        kinds = {"type": "jsonb_typeof(value)", "iteration": r"key ~ '.@iter:\d+:\d+(:\d+:\d+)*$'"}
        kinds["node"] = r"key ~ '^node\d+($|[.@])'"
    else:
        kinds = {"type": "json_type(value)", "iteration": "key LIKE '%_@iter:%:%'", "node": "key GLOB 'node[0-9]*'"}
    variables = _KINDS.format(**kinds, workflow_id="{workflow_id}")
    with _statements(place) as run:
        yield lambda: (run(variables), run(_COUNT))


@contextmanager
def _statements(place: Place) -> Iterator[Callable[[str], list[Any]]]:
    """Run statements as the driver does it, in a transaction each."""
    if "://" not in place.url:
        with closing(sqlite3.connect(place.url)) as file:
            yield lambda statement: file.execute(statement.format(workflow_id="?"), [place.workflow_id]).fetchall()
        return
    with _psycopg(place) as server:
        # One statement with autocommit is a transaction by itself.
        yield lambda statement: server.execute(statement.format(workflow_id="%s"), [place.workflow_id]).fetchall()


def _psycopg(place: Place) -> Any:
    import psycopg  # noqa: PLC0415

    return psycopg.connect(place.url, autocommit=True)


def _records(place: Place, document: str) -> str:
    # Nothing in it comes from outside.
    return f"SELECT {_FRONT}, {document} FROM workflow_records WHERE workflow_id = '{place.workflow_id}'"  # noqa: S608 - the benchmark's own id


def _adbc(place: Place, query: str) -> pa.Table:
    from adbc_driver_postgresql import dbapi  # noqa: PLC0415

    with dbapi.connect(place.url) as connection, connection.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetch_arrow_table()
