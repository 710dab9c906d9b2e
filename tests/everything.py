"""Imports the whole program, in a process whose forks then are command lines that start at once (see `homes`)."""

import importlib
import pkgutil

import mrclassic
from mrclassic.computing import prepare

# These are programs of their own: importing them would run them.
_PROGRAMS = ("__main__", "worker_main", "inside")

prepare()
importlib.import_module("torch._dynamo")  # an optimizer imports it as it is made, and that takes a second
for _found in pkgutil.walk_packages(mrclassic.__path__, "mrclassic."):
    if not any(part in _PROGRAMS for part in _found.name.split(".")):
        importlib.import_module(_found.name)
