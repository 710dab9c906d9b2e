"""Plugins: finding, trusting and isolating what others wrote.

`rewards`, `tasks` and `curricula` give those that may run, by name. Nothing of them runs before it is used; then each
has a process of its own, which ends with this one. Of two plugins of one name the home's goes before the others.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mrclassic.curricula import Builder
    from mrclassic.home import Home
    from mrclassic.rewards.calls import RewardFunction
    from mrclassic.store import Store
    from mrclassic.tasks.base import Task

__all__ = ["curricula", "rewards", "tasks"]


def rewards(home: Home, store: Store) -> Mapping[str, RewardFunction]:
    """The rewards of plugins, to be handed to `rewards.select`."""
    from mrclassic.plugins.remote_reward import RemoteReward
    from mrclassic.plugins.trust import usable

    return {plugin.name: RemoteReward(plugin) for plugin in usable(home, store) if plugin.kind == "reward"}


def tasks(home: Home, store: Store) -> Mapping[str, Task]:
    """The tasks of plugins; each gets its folder in the home's `tasks/`, where there is one."""
    from mrclassic.plugins.remote_task import RemoteTask
    from mrclassic.plugins.trust import usable

    found = {}
    for plugin in usable(home, store):
        if plugin.kind == "task":
            folder = home.tasks / plugin.name
            found[plugin.name] = RemoteTask(plugin, folder if folder.exists() else None)
    return found


def curricula(home: Home, store: Store) -> Mapping[str, Builder]:
    """What builds the curricula of plugins: a function of the arms and of what is known of each one's success."""
    from mrclassic.plugins.remote_curriculum import RemoteCurriculum
    from mrclassic.plugins.trust import usable

    return {
        plugin.name: partial(RemoteCurriculum, plugin) for plugin in usable(home, store) if plugin.kind == "curriculum"
    }
