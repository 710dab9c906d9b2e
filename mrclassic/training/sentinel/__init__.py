"""The sentinel: watches a run's numbers and says continue, warn, pause, roll back or stop, in words an owner
understands.

A weak reward ruins a run quietly; this is who notices. A *pause* ends the stage at its last good state and the night
goes on; a *roll back* does the same for damage already done; a *stop* says that nothing of the run is worth keeping.

- `verdict` what it says; `history` what it remembers; `words` how it says it; `spikes` gradients that stand out
- `optimum` whether the optimizer still works; `answers` what the answers look like; `scores` what they earn;
  `looks` what was found by looking aside at held-out items and the book; `questions` self-play's own;
  `preferences` preference training's; `liking` those of practice by a learned taste
- `watch` the rules of each kind of method, and the sentinel that asks them
"""

from mrclassic.training.sentinel.history import WINDOW, History, Look
from mrclassic.training.sentinel.spikes import too_large
from mrclassic.training.sentinel.verdict import CONTINUE, Action, Verdict
from mrclassic.training.sentinel.watch import (
    PLEASED,
    PREFERRED,
    RATED,
    REINFORCED,
    SELF_PLAYED,
    SUPERVISED,
    Rule,
    Sentinel,
)

__all__ = [
    "CONTINUE",
    "PLEASED",
    "PREFERRED",
    "RATED",
    "REINFORCED",
    "SELF_PLAYED",
    "SUPERVISED",
    "WINDOW",
    "Action",
    "History",
    "Look",
    "Rule",
    "Sentinel",
    "Verdict",
    "too_large",
]
