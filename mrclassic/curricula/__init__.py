"""What to practise next: the curriculum contract, the curricula that are built in, and choosing one by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from types import MappingProxyType

from mrclassic.curricula.bandit import Bandit
from mrclassic.curricula.contract import Curriculum
from mrclassic.curricula.uniform import Uniform
from mrclassic.errors import UsageError

Builder = Callable[[Sequence[str], Mapping[str, float]], Curriculum]

BUILT_IN: Mapping[str, Builder] = MappingProxyType({"bandit": Bandit, "uniform": lambda arms, success: Uniform(arms)})


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
