"""What people say in Knights and Knaves, for hypothesis."""

from __future__ import annotations

from hypothesis import strategies as st

from mrclassic.tasks.knights.claims import Claim, Words

PAIRS = (
    Words(),
    Words("hero", "villain"),
    Words("angel", "devil"),
    Words("saint", "sinner"),
    Words("altruist", "egoist"),
    Words("pioneer", "laggard"),
    Words("sage", "fool"),
)


def claims_of(people: int) -> st.SearchStrategy[Claim]:
    """Any claim about `people`, up to four levels deep."""
    leaf = st.tuples(st.sampled_from(["telling-truth", "lying"]), st.integers(0, people - 1))

    def wider(part: st.SearchStrategy[Claim]) -> st.SearchStrategy[Claim]:
        return st.one_of(
            st.tuples(st.just("not"), part),
            st.tuples(st.sampled_from(["->", "<=>", "and", "or"]), part, part),
            st.tuples(st.sampled_from(["and", "or"]), part, part, part),
        )

    return st.one_of(leaf, wider(leaf), wider(st.one_of(leaf, wider(leaf))), wider(wider(leaf)))
