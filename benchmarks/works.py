"""Every piece of work, what it is compared to, and what is to be reached."""

from __future__ import annotations

from typing import Final

from benchmarks import peers, reading, starting
from benchmarks.comparisons import Allowed, Comparison, Peer, Work
from benchmarks.databases import Data

_SERVER: Final = Data("postgresql")
_FILE: Final = Data("sqlite")
_SERVER_TENTH: Final = Data("postgresql", tenth=True)
_FILE_TENTH: Final = Data("sqlite", tenth=True)
_LINEAR: Final = 1.5
"""What ten times as much text may cost beyond ten times the time, where linear is what is asked."""
_CONSTANT: Final = 1.25
"""What ten times as many rows may cost in memory, where constant is what is asked."""


def _flat(data: Data, words: str = "flat frame") -> Work:
    return Work(words, reading.flat, data)


def _frames() -> tuple[Comparison, ...]:
    return (
        Comparison(
            "flat-postgresql",
            _flat(_SERVER),
            (
                Peer(Work("COPY drained", peers.drained_copy, _SERVER), 2.5),
                Peer(Work("COPY without the history drained", peers.drained_copy_without_history, _SERVER), 2.5),
                Peer(Work("read_sql + json_normalize", peers.read_sql, _SERVER), 8, faster=True),
                Peer(Work("ConnectorX + orjson + json_normalize", peers.connectorx, _SERVER), 1, faster=True),
                Peer(Work("ADBC + DuckDB's JSON functions", peers.duckdb, _SERVER), 1, faster=True),
            ),
        ),
        Comparison(
            "flat-sqlite",
            _flat(_FILE),
            (Peer(Work("read_sql + json_normalize", peers.read_sql, _FILE), 5, faster=True),),
        ),
        Comparison(
            "columns-postgresql",
            Work("five paths", reading.five_paths, _SERVER),
            (Peer(Work("the bare ADBC query", peers.five_paths, _SERVER), 1.3),),
        ),
        Comparison(
            "columns-beside-postgresql",
            Work("five paths, one of them fields.from.address", reading.five_paths_beside_others, _SERVER),
            (Peer(Work("the bare ADBC query", peers.five_paths_beside_others, _SERVER), 1.3),),
        ),
    )


def _counts() -> tuple[Comparison, ...]:
    return tuple(
        Comparison(
            f"{name}-{data.kind}",
            Work(words, ours, data),
            (Peer(Work("the SQL by hand", by_hand, data), 1.15),),
        )
        for data in (_SERVER, _FILE)
        for name, words, ours, by_hand in (
            ("counts", "count_records", reading.count_records, peers.count_records),
            ("stats", "get_stats", reading.get_stats, peers.get_stats),
        )
    )


def _growth() -> tuple[Comparison, ...]:
    return tuple(
        Comparison(
            f"growth-{full.kind}",
            _flat(full, "flat frame, time per record"),
            (Peer(_flat(tenth, "that of a tenth of the records"), 1.15),),
            "µs a record",
        )
        for full, tenth in ((_SERVER, _SERVER_TENTH), (_FILE, _FILE_TENTH))
    )


def _memory() -> tuple[Comparison, ...]:
    found = []
    for full, tenth in ((_SERVER, _SERVER_TENTH), (_FILE, _FILE_TENTH)):
        whole = Peer(Work("read_sql + json_normalize", peers.read_sql, full), 0.5)
        found.append(Comparison(f"memory-{full.kind}", _flat(full, "peak memory, flat frame"), (whole,), "MB"))
        chunks = Work("peak memory, chunks of 10,000", reading.chunks, full)
        fewer = Peer(Work("that of a tenth of the records", reading.chunks, tenth), _CONSTANT)
        found.append(Comparison(f"chunks-{full.kind}", chunks, (fewer,), "MB"))
        stats = Work("peak memory, get_stats", reading.get_stats, full)
        found.append(Comparison(f"stats-memory-{full.kind}", stats, (Peer(Allowed("the 5 MB allowed", 5), 1),), "MB"))
    return tuple(found)


def _masking() -> tuple[Comparison, ...]:
    found = []
    for kind in ("postgresql", "sqlite"):
        for name, secrets, at_most in (("no-secrets", False, 1.4), ("secrets", True, 1.8)):
            data = Data(kind, secrets=secrets)
            revealed = Peer(Work("the same with reveal=True", reading.flat_revealed, data), at_most)
            words = "flat frame, a secret in every tenth record" if secrets else "flat frame, no secrets"
            found.append(Comparison(f"masking-{name}-{kind}", _flat(data, words), (revealed,)))
    return tuple(found)


def _hostile() -> tuple[Comparison, ...]:
    return tuple(
        Comparison(
            f"hostile-{name}",
            Work(f"a megabyte of {words}", whole),
            (Peer(Work("ten times a tenth of it", tenth), _LINEAR),),
        )
        for name, words, whole, tenth in (
            ("equals", "=", starting.equals_signs, starting.equals_signs_tenth),
            ("quotes", "nested quotes", starting.quotes, starting.quotes_tenth),
            ("encoded", "JSON in JSON", starting.encoded, starting.encoded_tenth),
        )
    )


def _starting() -> tuple[Comparison, ...]:
    bare = Peer(Allowed("the 0.15 s allowed", 0.15), 1)
    first = Peer(Allowed("the 0.6 s allowed", 0.6), 1)
    return (
        Comparison("import", Work("import toolkit, above bare Python", starting.import_toolkit), (bare,)),
        Comparison("first-value", Work("connect and get_variable in a new process", starting.first_value), (first,)),
    )


ALL: Final = (*_frames(), *_counts(), *_growth(), *_memory(), *_masking(), *_hostile(), *_starting())
"""In the order in which they are measured."""
