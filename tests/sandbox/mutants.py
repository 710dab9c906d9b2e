"""Programs made from right ones: some that must be wrong whatever the tests are, and some with one small fault.

`python -m sandbox.mutants [FILE...]` reports on the references of HumanEval's or MBPP's rows (default: the samples).
"""

from __future__ import annotations

import ast
import copy
import random
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from mrclassic.tasks import code, rows
from mrclassic.tasks.base import Item

_COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    **{ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt},
    **{ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.In: ast.NotIn, ast.NotIn: ast.In},
}
_OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    **{ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Add, ast.Div: ast.Mult},
    **{ast.FloorDiv: ast.Mult, ast.Mod: ast.FloorDiv, ast.Pow: ast.Mult},
}


def different(program: str, entry: str) -> Iterator[str]:
    """Programs that answer otherwise than `program` to everything: nothing, something else, the answer in a box."""
    for body in (
        "return None",
        "return 'something else', 0",
        "raise ValueError('no')",
        "return [(_right(*a, **k), 0)]",
    ):
        yield f"{program}\n\n_right = {entry}\ndef {entry}(*a, **k):\n    {body}\n"


def faulty(program: str) -> Iterator[str]:
    """Every program with one comparison turned, one operator or constant changed, or one step off."""
    tree = ast.parse(program)
    for place, node in enumerate(ast.walk(tree)):
        for change in _changes(node):
            mutant = copy.deepcopy(tree)
            _apply(next(each for at, each in enumerate(ast.walk(mutant)) if at == place), change)
            yield ast.unparse(mutant)


def _changes(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Compare) and type(node.ops[0]) in _COMPARISONS:
        return ["comparison"]
    if isinstance(node, ast.BinOp | ast.AugAssign) and type(node.op) in _OPERATORS:
        return ["operator"]
    if isinstance(node, ast.Constant) and isinstance(node.value, bool | int | float):
        return ["constant"] if isinstance(node.value, bool) else ["one more", "one less"]
    if isinstance(node, ast.Return) and node.value is not None:
        return ["nothing returned"]
    return ["either"] if isinstance(node, ast.BoolOp) else []


def _apply(node: ast.AST, change: str) -> None:
    if isinstance(node, ast.Compare):
        node.ops[0] = _COMPARISONS[type(node.ops[0])]()
    elif isinstance(node, ast.BinOp | ast.AugAssign):
        node.op = _OPERATORS[type(node.op)]()
    elif isinstance(node, ast.Constant) and isinstance(node.value, bool | int | float):
        node.value = (not node.value) if change == "constant" else node.value + (1 if change == "one more" else -1)
    elif isinstance(node, ast.Return):
        node.value = None
    elif isinstance(node, ast.BoolOp):
        node.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()


def references(path: Path) -> tuple[code.HumanEval | code.MBPP, list[tuple[Item, str]]]:
    """The task of a file, and its items with their whole reference programs."""
    found = [row for _, row in rows.read(path)]
    if "entry_point" in found[0]:
        items = [code.humaneval(path).row(row) for row in found]
        return code.humaneval(path), [(item, item.question + item.answer) for item in items]
    items = [code.mbpp(path).row(row) for row in found]
    return code.mbpp(path), [(item, item.answer) for item in items]


def drawn(path: Path, kind: str, number: int | None = None) -> Counter[str]:
    """The verdicts on mutants ("different" or "faulty") of the references in `path`; `number` of them, drawn."""
    task, pairs = references(path)
    made = [
        (item, mutant)
        for item, program in pairs
        for mutant in (different(program, item.meta["entry_point"]) if kind == "different" else faulty(program))
    ]
    random.Random(0).shuffle(made)
    judged = task.check_all([item for item, _ in made[:number]], [mutant for _, mutant in made[:number]])
    return Counter(judgement.verdict for judgement in judged)


if __name__ == "__main__":
    samples = [Path(__file__).parents[2] / "data/tasks" / f"{name}.jsonl" for name in ("humaneval", "mbpp")]
    for file in map(Path, sys.argv[1:] or samples):
        for sort in ("different", "faulty"):
            sys.stdout.write(f"{file.name}: {sort} {dict(drawn(file, sort, 700))}\n")
