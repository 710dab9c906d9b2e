"""Quarantine, seen from outside: which rewards a run has silenced because they were at fault again and again."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from mrclassic.plugins import trust
from mrclassic.plugins.find import Plugin
from mrclassic.rewards.standing import SILENCED
from mrclassic.store import Store

RUNS = 10
"""The newest runs that are looked at: what was at fault before that has mostly been mended since."""
_FAULT = re.compile(rf"reward (?P<name>[\w-]+): (?P<words>.*); {re.escape(SILENCED)}", re.DOTALL)


def silenced(plugins: Iterable[Plugin], store: Store) -> Mapping[str, str]:
    """When and why the last runs silenced each of these by name. One that was trusted anew since then has its say
    again, and is left out."""
    since = {plugin.name: _since(plugin, store) for plugin in plugins if plugin.kind == "reward"}
    found: dict[str, str] = {}
    for run in store.runs.list(limit=RUNS):
        for alarm in store.runs.alarms(run.id):
            said = _FAULT.fullmatch(alarm.message)
            if said and said["name"] not in found and alarm.created > since.get(said["name"], "~"):
                found[said["name"]] = f"silenced in run {run.id} ({run.kind}), update {alarm.step}: {said['words']}"
    return found


def _since(plugin: Plugin, store: Store) -> str:
    """When its owner trusted it as it is; the beginning of time where he did not have to."""
    known = trust.approval(store, plugin.file) if plugin.file is not None and plugin.origin == "home" else None
    return "" if known is None else known.created
