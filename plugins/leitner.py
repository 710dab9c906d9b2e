"""A curriculum by spaced repetition: what went well is asked again later, what went badly soon (Leitner's boxes).

    mrclassic night --now            with curriculum = "leitner" under [practice] in mrclassic.toml

An arm that goes well moves up a box and is due again after twice as many updates; one that goes badly goes back to the
first box. Where nothing is due, all arms are practised alike.
"""

from collections.abc import Mapping, Sequence

from mrclassic.curricula.contract import Curriculum, Outcome
from mrclassic.curricula.core import Chooser, by_arm, mean, proportions

WELL, BADLY = 0.8, 0.4  # between them it stays in its box
BOXES = 7  # the last is due every 64 updates
EVEN = 0.1  # of the draws, whatever is due


class Leitner(Chooser):
    """Over arms such as `arithmetic:2`; what is known to go well begins in the third box."""

    kept = ("_box", "_due", "_now")

    def __init__(self, arms: Sequence[str], success: Mapping[str, float]) -> None:
        super().__init__(arms)
        self._box = {arm: 2 if success.get(arm, 0.0) >= WELL else 0 for arm in self._arms}
        self._due = dict.fromkeys(self._arms, 0)  # the update from which it is
        self._now = 0

    def report(self) -> Mapping[str, float]:
        return proportions({arm: float(due <= self._now) for arm, due in self._due.items()}, EVEN)

    def observe(self, outcomes: Sequence[Outcome]) -> None:
        for arm, found in by_arm(outcomes).items():
            score, box = mean([each.success for each in found]), self._box[arm]
            self._now = found[-1].step + 1
            self._box[arm] = min(box + 1, BOXES - 1) if score >= WELL else 0 if score < BADLY else box
            self._due[arm] = self._now + 2 ** self._box[arm] - 1


def curriculum(arms: Sequence[str], success: Mapping[str, float]) -> Curriculum:
    """What Mr. Classic calls."""
    return Leitner(arms, success)
