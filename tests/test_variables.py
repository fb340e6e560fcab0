"""The calls about variables, on every database."""

from __future__ import annotations

import toolkit


def test_a_variable_comes_back_as_it_was_set(service: toolkit.UnifiedDataService, workflow_id: str) -> None:
    for value in (0, False, "", None, [], {}, 1.5, 2**70, "é✉", {"a": {"b": [1, None]}}):
        service.set_variable(workflow_id, "x", value)
        found = service.get_variable(workflow_id, "x", default="nothing")
        assert found == value
        assert type(found) is type(value)
