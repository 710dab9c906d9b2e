"""What to practise next: the curriculum contract, the curricula that are built in, and choosing one by name.

- `uniform` every arm alike; `staged` one level after the other, with steps back; `bandit` (the default) where success
  is near one half; `thompson` the same by how likely it is; `exp3` by what draws taught, whatever the arms do;
  `learning_progress` what is changing; `prioritized_replay` questions that taught something, again
- `mixing` the same for what is read: sources by how much held-out loss they take off
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from types import MappingProxyType

from mrclassic.curricula.bandit import Bandit
from mrclassic.curricula.contract import Curriculum
from mrclassic.curricula.exp3 import Exp3
from mrclassic.curricula.learning_progress import LearningProgress
from mrclassic.curricula.prioritized_replay import PrioritizedReplay
from mrclassic.curricula.staged import Staged
from mrclassic.curricula.thompson import Thompson
from mrclassic.curricula.uniform import Uniform
from mrclassic.errors import UsageError

Builder = Callable[[Sequence[str], Mapping[str, float]], Curriculum]

BUILT_IN: Mapping[str, Builder] = MappingProxyType(
    {
        "bandit": Bandit,
        "uniform": Uniform,
        "staged": Staged,
        "learning_progress": LearningProgress,
        "thompson": Thompson,
        "exp3": Exp3,
        "prioritized_replay": PrioritizedReplay,
    }
)


def build(
    name: str,
    arms: Sequence[str],
    success: Mapping[str, float],
    more: Mapping[str, Builder] = MappingProxyType({}),
) -> Curriculum:
    """The curriculum of that name, built in or one of `more` (those of plugins), over `arms`, begun with what is known
    of each one's success. Raises UsageError for an unknown name."""
    builders = {**more, **BUILT_IN}
    if name not in builders:
        near = get_close_matches(name, builders, n=1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(builders)}."
        raise UsageError(f"There is no curriculum {name!r}; {hint}")
    return builders[name](arms, {arm: success[arm] for arm in arms if arm in success})
