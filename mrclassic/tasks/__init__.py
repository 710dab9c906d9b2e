"""What can be practised: the tasks by name, one module each."""

from mrclassic.tasks.catalogue import GYM, get, names, select

__all__ = ["GYM", "get", "names", "select"]
