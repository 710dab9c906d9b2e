"""The soak in its short form: a minute of the service, an owner and nights, with a fault every ten seconds."""

from __future__ import annotations

from pathlib import Path

import pytest
from campaigns import soak


@pytest.mark.slow
def test_a_minute_with_a_fault_every_ten_seconds_loses_nothing(tmp_path: Path) -> None:
    found = soak.run(tmp_path, minutes=1.0, every=10.0, say=lambda words: None)
    assert found.wrong == []
    assert sum(found.faults.values()) >= 2
    assert found.answers + sum(found.broken.values()) >= 2
