"""What can be practised: the tasks by name, one module each."""

from mrclassic.tasks.catalogue import get, names, select

__all__ = ["get", "names", "select"]
