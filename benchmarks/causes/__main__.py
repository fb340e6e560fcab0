"""Run as `python -m benchmarks.causes DATA`: the adjusted Rand index of each way to group failures, per set.

DATA is the folder of public data. `labels.json` holds what a person said: for each failure, by the hash that is its
id, a name of what went wrong. Two failures have one label when one repair, or one ticket, would do for both.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pandas as pd

from benchmarks.causes.agreement import adjusted_rand_index
from benchmarks.causes.sets import failures
from toolkit import analysis
from toolkit.columns import FAILED

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

LABELS: Final = Path(__file__).with_name("labels.json")


def main() -> None:
    """Measure, and print one line per set and way."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.causes", description=__doc__)
    parser.add_argument("data", type=Path, help="the folder of public data")
    sets = failures(parser.parse_args().data)
    labels = json.loads(LABELS.read_text(encoding="utf-8"))
    table = pd.DataFrame({name: _agreement(messages, labels[name]) for name, messages in sets.items()})
    table["mean"] = table.mean(axis="columns")
    if importlib.util.find_spec("drain3") is None:
        print("drain3 is not installed, so it is left out: pip install drain3")
    print(table.round(3).to_string())
    everything = [message for messages in sets.values() for message in messages.values()] * 200
    for name, way in ways().items():
        begin = time.perf_counter()
        way(everything)
        print(f"{name}: {time.perf_counter() - begin:.2f} s for {len(everything):,} messages")


def ways() -> dict[str, Callable[[Sequence[str]], list[str]]]:
    """Name each way to group messages; drain3 only where it is installed.

    Returns
    -------
    dict of str to callable
        Each takes messages and gives one group's name per message.
    """
    known: dict[str, Callable[[Sequence[str]], list[str]]] = {
        "exact message": list,
        "first line": lambda messages: [message.strip().partition("\n")[0] for message in messages],
        "toolkit": _toolkit,
    }
    if importlib.util.find_spec("drain3") is None:
        return known
    return known | {
        "drain3": _drain,
        "drain3, first line": lambda messages: _drain([text.strip().partition("\n")[0] for text in messages]),
        "drain3, masked": lambda messages: _drain(messages, masked=True),
    }


def _agreement(messages: dict[str, str], labels: dict[str, str]) -> dict[str, float]:
    truth = [labels[name] for name in messages]
    return {name: adjusted_rand_index(truth, way(list(messages.values()))) for name, way in ways().items()}


def _toolkit(messages: Sequence[str]) -> list[str]:
    records = pd.DataFrame({"status": FAILED, "error_message": messages})
    return list(analysis.cause(records))


def _drain(messages: Sequence[str], *, masked: bool = False) -> list[str]:
    from drain3 import TemplateMiner  # noqa: PLC0415 - no dependency of the project
    from drain3.masking import MaskingInstruction  # noqa: PLC0415 - likewise
    from drain3.template_miner_config import TemplateMinerConfig  # noqa: PLC0415 - likewise

    config = TemplateMinerConfig()
    if masked:
        config.masking_instructions = [
            MaskingInstruction(r"\b0x[0-9a-fA-F]+\b|\b[0-9a-fA-F]{8,}\b", "HEX"),
            MaskingInstruction(r"(?:/[\w.-]+)+", "PATH"),
            MaskingInstruction(r"\d+(?:\.\d+)*", "NUM"),
        ]
    miner = TemplateMiner(config=config)
    return [str(miner.add_log_message(" ".join(message.split()))["cluster_id"]) for message in messages]


if __name__ == "__main__":
    main()
