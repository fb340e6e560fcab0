"""A million numbers of every size come out of both databases as they went in, a quarter of them by each way."""

from __future__ import annotations

import math
import random
import struct
from collections.abc import Iterator

import pytest

import toolkit

ARRAYS = 25
NUMBERS = 10_000
"""In each array."""

WAYS = [(kind, place) for kind in ("sqlite", "postgresql") for place in ("variables", "records")]


def doubles(chance: random.Random) -> Iterator[float]:
    """Doubles of random bits: every exponent is as likely as any other."""
    while True:
        (number,) = struct.unpack("<d", chance.randbytes(8))
        if math.isfinite(number) and number:
            yield number


def decimals(chance: random.Random) -> Iterator[float]:
    """Numbers as people and programs write them, from few digits to more than a double has."""
    while True:
        digits = chance.randrange(1, 22)
        yield float(f"{chance.choice(('', '-'))}{chance.randrange(10**6)}.{chance.randrange(1, 10**digits):0{digits}}")


def integers(chance: random.Random) -> Iterator[int]:
    """Integers of up to 40 digits, each length as likely as any other."""
    while True:
        yield chance.choice((-1, 1)) * chance.randrange(10 ** chance.randrange(1, 41))


def arrays(seed: int) -> Iterator[list[float]]:
    """Numbers of which six of ten are doubles of random bits, the same for every run of a seed."""
    chance = random.Random(seed)  # noqa: S311 - made up data, not a secret
    kinds = [doubles(chance)] * 6 + [decimals(chance)] * 2 + [integers(chance)] * 2
    for _ in range(ARRAYS):
        yield [next(kinds[place % len(kinds)]) for place in range(NUMBERS)]


def alike(found: object, wanted: list[float]) -> bool:
    """Whether two lists hold the same numbers of the same types; no zero or NaN is there to be equal and different."""
    return found == wanted and isinstance(found, list) and list(map(type, found)) == list(map(type, wanted))


def named(kind: str, place: str) -> dict[str, list[float]]:
    """The numbers for one way, which no other way has."""
    return {f"a_{number:03}": array for number, array in enumerate(arrays(WAYS.index((kind, place))))}


def test_the_numbers_are_of_every_size() -> None:
    every = [number for array in named(*WAYS[0]).values() for number in array]
    assert len(every) * len(WAYS) == 1_000_000
    floats = [abs(number) for number in every if isinstance(number, float)]
    assert min(floats) < 1e-300
    assert 1e300 < max(floats) < math.inf
    assert sum(abs(number) >= 2**63 for number in every if isinstance(number, int)) > 20_000


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_numbers_come_back_from_variables(service: toolkit.UnifiedDataService, workflow_id: str, kind: str) -> None:
    numbers = named(kind, "variables")
    service.set_variables(workflow_id, numbers)
    for name, array in numbers.items():
        assert alike(service.get_variable(workflow_id, name), array)


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_numbers_come_back_from_records(service: toolkit.UnifiedDataService, workflow_id: str, kind: str) -> None:
    numbers = named(kind, "records")
    rows = [
        {"record_id": name, "fields.first": array[0], "fields.last": array[-1], "fields.all": array}
        for name, array in numbers.items()
    ]
    service.create_records(workflow_id, rows)
    found = service.query_records(workflow_id, flatten=True)
    assert list(found["record_id"]) == list(numbers)
    assert str(found["fields.first"].dtype) == "Float64"
    for place, (name, array) in enumerate(numbers.items()):
        row = found.iloc[place]
        assert alike([row["fields.first"].item(), row["fields.last"]], [array[0], array[-1]])
        assert alike(row["fields.all"], array)
        record = service.get_record(workflow_id, name)
        assert record
        assert alike(record["data"]["fields"]["all"], array)
