"""What a stage came to in a sentence or two, beside its curves in the morning's report."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mrclassic.night.choices import in_percent
from mrclassic.night.gate import HELD_OUT, GateVerdict

if TYPE_CHECKING:
    from mrclassic.night.report import StageReport


def told_of(stage: StageReport, gate: GateVerdict | None) -> str:
    """The sentences; nothing where the curves say it all."""
    return _questions(stage) or _liking(stage) or _preferring(stage, gate)


def _questions(stage: StageReport) -> str:
    """What became of the questions that it asked itself."""
    names = ("questions/valid", "questions/success", "questions/skeletons")
    curves = {name: [row[name] for _, row in stage.curve if name in row] for name in names}
    if stage.name == "selfplay" and stage.steps and not curves["questions/valid"]:
        return "All of these updates showed it how questions are asked; its own come after them, in a longer night."
    if not all(curves.values()):
        return ""
    ends = ((in_percent(values[0]), in_percent(values[-1])) for values in curves.values())
    (valid, readable), (before, after), (_, forms) = ends
    return (
        f"Of its own questions {readable} could be read in the end ({valid} at first), and it answered {after} of them "
        f"right ({before} at first); {forms} were of a form of their own."
    )


def _liking(stage: StageReport) -> str:
    """What the learned taste made of the talks."""
    liked, away = ([row[name] for _, row in stage.curve if name in row] for name in ("rewards/taste/mean", "kl"))
    if stage.name != "taste" or not liked:
        return ""
    far = f", {away[-1]:.3f} nats a token from where it began" if away else ""
    return (
        f"By the taste that was learned from your picks its talk went from {liked[0]:.2f} to {liked[-1]:.2f}{far}. "
        "That is a guess at what you like: what tells is the picks that were held out, among the gate's numbers."
    )


def _preferring(stage: StageReport, gate: GateVerdict | None) -> str:
    """What the picks taught, of those that were learned and of those that were held out."""
    right = [row["rewards/accuracies"] for _, row in stage.curve if "rewards/accuracies" in row]
    if stage.name != "dpo" or not right:
        return ""
    learned = f"Of the pairs that it learned from it leans to your pick in {in_percent(right[-1])} by now"
    held = next((each for each in gate.suites if each.name == HELD_OUT), None) if gate else None
    if held is None:
        return f"{learned}. What tells is the picks that were held out."
    before, after = (in_percent(score) for score in (held.parent, held.child))
    return f"{learned}; of {held.n} picks that were held out it names {after} ({before} before the night)."
