"""What is practised in a home, and what its model is asked: the book, levels, rewards, the learned taste, a curriculum.

The names that settings and commands use are looked up here, among what is built in, the owner's own, and trusted
plugins.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from hashlib import sha256

from mrclassic import book, curricula, plugins, rewards, shipped, tasks
from mrclassic.book import Entry
from mrclassic.curricula.contract import Curriculum
from mrclassic.errors import UsageError
from mrclassic.home import Home
from mrclassic.night import taste
from mrclassic.rewards.contract import Weighted
from mrclassic.rewards.taste import NAME as TASTE
from mrclassic.rewards.taste import Taste
from mrclassic.settings import Settings
from mrclassic.store import Store
from mrclassic.tasks import conversation
from mrclassic.tasks.arms import Arms
from mrclassic.training.suites import PHRASINGS, Suite, recall, recall_in_talk, skill


class Practised:
    """The half of a workplace that computes nothing: what there is to be learned, and to be measured."""

    def __init__(self, home: Home, settings: Settings, store: Store, device: str) -> None:
        self.home, self.settings, self.store = home, settings, store
        self._device = device
        self.tasted: str | None = None
        """The folder of the taste that counts; None: the newest."""

    @cached_property
    def entries(self) -> list[Entry]:
        """The book as it is when first asked for; a run does not see later edits."""
        return book.load(self.home.book)

    @property
    def digest(self) -> str:
        """A name for the book's content."""
        return sha256(" ".join(entry.hash for entry in self.entries).encode()).hexdigest()[:10]

    def phrasings(self) -> Suite:
        """The held-out phrasings of the starter book that the owner's book still answers the same way, and that have
        not come into it themselves (practice in the app asks them too)."""
        known, learned = {entry.reply for entry in self.entries}, {entry.key for entry in self.entries}
        entries = book.load(shipped.folder("data") / "held_out.txt")
        return recall([each for each in entries if each.reply in known and each.key not in learned], PHRASINGS)

    def arms(self, named: Sequence[str]) -> Arms:
        """The levels that words such as `arithmetic` or `gsm8k:1` name, of tasks that are built in, the owner's, or of
        trusted plugins. Raises UsageError for an unknown one, and Refused for `conversation` while `taste` is."""
        more = dict(plugins.tasks(self.home, self.store))
        if any(each.partition(":")[0] == conversation.NAME for each in named):
            self.taste  # noqa: B018 - nobody else can say which reply is better: refused, with its numbers, unless allowed
            openings = [entry.prompt[0]["content"] for entry in self.entries]
            unseen = [probe.prompt[0]["content"] for probe in self.phrasings().probes]
            more[conversation.NAME] = conversation.Conversation(openings, unseen)
        return Arms([tasks.select(each, self.home.tasks, more) for each in named])

    def rewards(self, named: Sequence[str], arms: Arms) -> list[Weighted]:
        """The rewards that words such as `correct` or `format=0.1` name, built in or of trusted plugins. Raises
        UsageError for an unknown one, Refused for `taste` where the evidence of the owner's does not allow it."""
        more = dict(plugins.rewards(self.home, self.store))
        if TASTE in {*(words.partition("=")[0] for words in named), *arms.rewards}:
            if TASTE in more:
                raise UsageError(f"A plugin is called {TASTE}, as a built-in reward is; give the plugin another name.")
            more[TASTE] = self.taste
        return rewards.select(named, arms, more)

    @cached_property
    def taste(self) -> Taste:
        """The learned taste as a reward; raises Refused where its evidence does not allow that."""
        return Taste(taste.opened(self.home, self._device, name=self.tasted).judged)

    def curriculum(self, arms: Arms, success: Mapping[str, float]) -> Curriculum:
        """The curriculum that the settings name, begun with what the model can do already."""
        return self._chooser(self.settings.practice.curriculum, arms.names, success)

    def steering(self, name: str, sources: Sequence[str]) -> Curriculum:
        """The curriculum of that name over what is read."""
        return self._chooser(name, sources, {})

    def _chooser(self, name: str, arms: Sequence[str], success: Mapping[str, float]) -> Curriculum:
        return curricula.build(name, arms, success, plugins.curricula(self.home, self.store))

    def practised(self) -> Arms:
        """What the settings say is practised."""
        return self.arms(words(self.settings.practice.tasks))

    def suites(self, items: int | None = None, rotation: int = 0) -> list[Suite]:
        """The book by heart, alone and in the middle of a talk; held-out phrasings; `items` held-out items of each
        level that is practised."""
        arms = self.practised()
        levels = [skill(arms, arm, items, rotation) for arm in arms.names]
        return [recall(self.entries), recall_in_talk(self.entries), self.phrasings(), *levels]


def words(text: str) -> tuple[str, ...]:
    """The parts of a list in the settings."""
    return tuple(part.strip() for part in text.split(",") if part.strip())
