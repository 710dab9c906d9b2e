"""bench --peer, with a peer of our own: what it is given, and what is left behind."""

from __future__ import annotations

from pathlib import Path

import pytest
from homes import mrclassic

from mrclassic.home import Home

# Takes the place of the Python that has TRL: it is called with the script and the job.
PEER = """#!/bin/sh
exec python3 - "$2" <<'END'
import json, os, sys
job = json.loads(sys.argv[1])
os.makedirs(job["scratch"])
open(os.path.join(job["scratch"], "weights"), "w").close()
print(json.dumps({"peer": "ours", "completions_per_s": 1.0, "scratch": job["scratch"], "cache": os.environ["HF_HOME"]}))
END
"""


@pytest.mark.slow
def test_a_peer_writes_inside_the_home_and_leaves_nothing(home: Home, tmp_path: Path) -> None:
    peer = tmp_path / "peer"
    peer.write_text(PEER)
    peer.chmod(0o700)
    words = ("bench", "rollout", "--size", "tiny", "--steps", "1", "--prompts-per-step", "1", "--group", "2")
    code, facts, narration = mrclassic(
        home.root, *words, "--max-new", "4", "--peer", "--peer-python", str(peer), "--json"
    )
    assert code == 0, narration
    for folder in (facts["peer"]["scratch"], facts["peer"]["cache"]):
        assert Path(folder).is_relative_to(home.run)
        assert not Path(folder).exists()
    assert list(home.run.iterdir()) == []
