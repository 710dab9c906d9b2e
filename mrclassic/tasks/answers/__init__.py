"""Answers in mathematics: where in a completion the answer stands, and whether it says what the gold answer says."""

from mrclassic.tasks.answers.ladder import judge, judge_all, verify, verify_all
from mrclassic.tasks.answers.slot import find

__all__ = ["find", "judge", "judge_all", "verify", "verify_all"]
