"""A worked reply that a small model can imitate: a search that tries knight before knave.

    Zoe knight, Ben knight: Zoe says no, clash.
    Zoe knight, Ben knave: Zoe says yes, Ben says if no then yes is yes, clash.
    Zoe knave, Ben knight: Zoe says no, Ben says if yes then yes is yes, fits.
    ANSWER: (1) Zoe is a knave (2) Ben is a knight.

A claim is worked out as soon as the speaker and everybody in it is settled. A knight whose claim comes to no, or a
knave whose claim comes to yes, is a clash, and the next case is tried. Next comes whoever a settled person mentions
first, and only then the order of the names: that finds the clashes early. With more people than three, a line names
only those who are new since the line before, and of a claim gives the value alone, so that most fit in 300 tokens.
"""

from __future__ import annotations

from collections.abc import Mapping

from mrclassic.tasks.knights.answers import reply
from mrclassic.tasks.knights.claims import Claim, Puzzle, holds, mentioned

IN_FULL = 3  # people


def trace(puzzle: Puzzle) -> str:
    """The search up to the first case that fits, and the answer line. The puzzle has a solution."""
    lines: list[str] = []
    found = _search(puzzle, {}, [], lines)
    assert found is not None, "the puzzle has a solution"
    return "\n".join([*lines, f"ANSWER: {reply(puzzle, [found[one] for one in range(len(found))])}."])


def _search(
    puzzle: Puzzle, settled: Mapping[int, bool], unsaid: list[int], lines: list[str]
) -> Mapping[int, bool] | None:
    """The first case that fits; `unsaid`: the people settled since the last line."""
    if len(settled) == len(puzzle.names):
        return settled
    newest = _next(puzzle, settled)
    for knight in (True, False):
        now = {**settled, newest: knight}
        unsaid.append(newest)
        checks, clash = _checks(puzzle, now, newest)
        if checks:
            shown = now if len(puzzle.names) <= IN_FULL else unsaid
            lines.append(f"{', '.join(_who(puzzle, one, now[one]) for one in shown)}: {', '.join(checks)}.")
            unsaid.clear()
        if not clash and (found := _search(puzzle, now, unsaid, lines)) is not None:
            return found
    return None


def _next(puzzle: Puzzle, settled: Mapping[int, bool]) -> int:
    order = [person for speaker in settled for person in mentioned(puzzle.claims[speaker])]
    order.extend(range(len(puzzle.names)))
    return next(person for person in order if person not in settled)


def _checks(puzzle: Puzzle, settled: Mapping[int, bool], newest: int) -> tuple[list[str], bool]:
    """The claims that can be worked out now and could not before, up to the first clash; and whether there is one."""
    checks: list[str] = []
    for speaker, claim in enumerate(puzzle.claims):
        about = {speaker, *mentioned(claim)}
        if newest not in about or not about <= settled.keys():
            continue
        checks.append(f"{puzzle.names[speaker]} says {_worked_out(claim, settled, len(puzzle.names) <= IN_FULL)}")
        if holds(claim, settled) != settled[speaker]:
            return [*checks, "clash"], True
    return checks + ["fits"] * (len(settled) == len(puzzle.names)), False


def _worked_out(claim: Claim, settled: Mapping[int, bool], in_full: bool) -> str:
    """The claim's value; in full after those of its parts: `yes and no is no`."""
    kind, *parts = claim
    value = _yes(claim, settled)
    if not in_full or kind in ("telling-truth", "lying", "not"):
        return value
    sides = f" {({'->': 'then', '<=>': 'iff'}).get(kind, kind)} ".join(_yes(part, settled) for part in parts)
    return f"{'if ' if kind == '->' else ''}{sides} is {value}"


def _yes(claim: Claim, settled: Mapping[int, bool]) -> str:
    return "yes" if holds(claim, settled) else "no"


def _who(puzzle: Puzzle, person: int, knight: bool) -> str:
    return f"{puzzle.names[person]} {puzzle.words.knight if knight else puzzle.words.knave}"
