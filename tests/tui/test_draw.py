"""The state of one draw while it streams."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mrclassic.mind.protocol import Delta
from mrclassic.tui.draw import Draw, again, shuffled


@given(st.integers(1, 10**9), st.integers(1, 50), st.integers(1, 9))
def test_the_shuffle_is_a_permutation_and_depends_on_the_prompt_alone(prompt: int, number: int, n: int) -> None:
    assert sorted(shuffled(prompt, number, n)) == list(range(1, n + 1))
    assert shuffled(prompt, number, n) == shuffled(prompt, number, n)


def test_no_slot_owns_a_place() -> None:
    first = [shuffled(prompt, 1, 5).index(1) for prompt in range(2000)]
    assert all(300 < first.count(slot) < 500 for slot in range(5))


def _draw(*deltas: Delta) -> Draw:
    draw = Draw(1, 3, seed=1, temperature=0.7, top_p=1.0)
    for delta in deltas:
        draw.feed(delta)
    return draw


def test_text_grows_and_ends() -> None:
    draw = _draw(
        Delta(0, "Good ", tokens=1), Delta(0, "day.", finish_reason="stop", tokens=2, logprob=-0.5, temperature=0.9)
    )
    piece = draw.pieces[0]
    assert (piece.text, piece.tokens, piece.logprob, piece.done, piece.temperature) == ("Good day.", 2, -0.5, True, 0.9)
    assert not draw.done


def test_a_candidate_that_is_drawn_again_starts_over() -> None:
    draw = _draw(Delta(1, "Same."), Delta(1, "", restart=True), Delta(1, "Other."))
    assert draw.pieces[1].text == "Other."


def test_a_twin_names_the_one_that_came_first() -> None:
    draw = _draw(
        Delta(0, "A.", finish_reason="stop"), Delta(1, "B.", finish_reason="stop"),
        Delta(2, "A.", finish_reason="stop", duplicate=True),
    )  # fmt: skip
    assert draw.same_as(draw.pieces[2]) == draw.pieces[0].shown
    assert draw.same_as(draw.pieces[0]) is None
    assert draw.same_as(draw.pieces[1]) is None


def test_one_that_is_drawn_by_itself_and_repeats_another_is_warmed() -> None:
    first = _draw(*(Delta(slot, text, finish_reason="stop") for slot, text in enumerate(("A.", "B.", "C."))))
    draw = again(first, first.pieces[1].shown, seed=2)
    assert not first.repeats
    draw.feed(Delta(0, "C. ", finish_reason="stop"))
    assert draw.repeats
    before = draw.temperature
    draw.warm(3)
    assert (draw.pieces[1].text, draw.pieces[1].shown, draw.seed) == ("", first.pieces[1].shown, 3)
    assert before is not None
    assert draw.temperature is not None
    assert draw.temperature > before
    draw.feed(Delta(0, "D.", finish_reason="stop"))
    assert not draw.repeats
