"""Windows side by side: every one in one rectangle, few padded tokens, and the same numbers as each alone."""

from __future__ import annotations

from pathlib import Path

import corpora
import micro
import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from mrclassic.model.device import COLUMNS
from mrclassic.training.corpus.rectangles import batches, split
from mrclassic.training.scoring import score

POLICY = micro.policy(loud=3.0)


@given(st.lists(st.integers(2, 97), min_size=1, max_size=60), st.sampled_from([64, 256, 1024]), st.integers(0, 300))
def test_every_window_is_in_one_rectangle_within_the_budget(lengths: list[int], budget: int, overhead: int) -> None:
    column = np.array(lengths, np.int32)
    groups = split(column, budget, overhead)
    assert sorted(int(place) for group in groups for place in group) == list(range(len(lengths)))
    areas = [-(-(int(column[group].max()) - 1) // COLUMNS) * COLUMNS * len(group) for group in groups]
    assert all(area <= budget or len(group) == 1 for area, group in zip(areas, groups, strict=True))
    # Never dearer than one rectangle a window, and without overhead as tight as whole columns allow.
    alone = sum(-(-(length - 1) // COLUMNS) * COLUMNS for length in lengths)
    assert sum(areas) + overhead * len(groups) <= alone + overhead * len(lengths)
    if overhead == 0:
        assert sum(areas) == alone


def test_side_by_side_a_document_is_scored_as_alone(tmp_path: Path) -> None:
    corpus = corpora.pack(tmp_path / "packed", corpora.write(tmp_path / "a.jsonl", corpora.talks(30)), held_out=0)
    windows = corpus.windows(0)

    def loss(which: np.ndarray, budget: int) -> tuple[float, int]:
        found = [
            score(POLICY, batch).logp for batch in batches(corpus, which, 0, torch.device("cpu"), budget, overhead=64)
        ]
        return float(-sum(each.sum() for each in found)), sum(map(len, found))

    with torch.no_grad():
        together, tokens = loss(windows, 2048)
        alone = [loss(windows[at : at + 1], 2048) for at in range(len(windows))]
    assert tokens == corpus.parts[0].tokens == sum(count for _, count in alone)
    assert abs(together - sum(each for each, _ in alone)) < 1e-3 * abs(together)
    # And as the network itself says it.
    ids = torch.from_numpy(corpus.ids(3).astype(np.int64))
    with torch.no_grad():
        logits = POLICY.decoder.logits(POLICY.decoder(ids[None, :-1]), POLICY.live)[0]
    plain = torch.nn.functional.cross_entropy(logits, ids[1:], reduction="sum")
    assert abs(float(plain) - alone[3][0]) < 1e-3
