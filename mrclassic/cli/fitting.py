"""The options by which a training is made to fit the device; what is not given is as the settings say."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import typer

from mrclassic.cli import common


def _option(*flags: str, words: str, **limits: Any) -> Any:
    return typer.Option(*flags, help=words, rich_help_panel="Memory", **limits)


Lora = Annotated[
    int | None,
    _option("--lora", words="Train adapters of this rank beside the weights; 0: all weights.", min=0, max=1024),
]
Targets = Annotated[
    str | None, _option("--lora-targets", words="Which projections: of q,k,v,o,gate,up,down, separated by commas.")
]
Recompute = Annotated[
    bool | None,
    _option("--checkpoint-activations/--keep-activations", words="Compute layers again instead of keeping them."),
]
OptimizerState = Annotated[
    Literal["full", "8bit", "factored"] | None,
    _option("--optimizer-state", words="What the optimizer keeps; 8bit needs torchao."),
]
Plan = Annotated[bool, typer.Option("--plan", help="Only say what it would do and whether it fits the device.")]


def session(
    ctx: typer.Context,
    lora: int | None,
    targets: str | None,
    recompute: bool | None,
    optimizer_state: str | None,
) -> common.Session:
    """The session with these options above the settings."""
    return common.session(
        ctx,
        training__lora=lora,
        training__lora_targets=targets,
        training__checkpoint_activations=recompute,
        training__optimizer_state=optimizer_state,
    )
