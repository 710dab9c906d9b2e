"""A larger network that computes what a smaller one does, so that a model that knows its owner need not start over (the
idea is that of Net2Net, arXiv 1511.05641).

What writes into the stream begins with zeros wherever it is new, what reads from it with small random numbers: nothing
changes, and every new number has a gradient of its own after an update or two.

    stream    D -> D'    zeros behind it. The mean square shrinks to D/D', so norms get epsilon D/D' and weights
                         sqrt(D/D')
    feed-forward         more units, which write nothing
    layers    L -> L'    new ones spread evenly between the old, which write nothing
    heads     H -> H'    new ones, which write nothing. Keys and values that served more heads than one of the target's
                         does are doubled
    head size E -> mE    pair i of a head turns at theta^(-2i/E), which is what pair m*i of the larger head turns at:
                         that is where it goes. The new places have zero queries, and queries are multiplied by sqrt(m),
                         because scores are divided by sqrt(mE)

A head whose new size is no multiple of its own has no such places, and keeps its size. The tokenizer stays, and with it
the vocabulary: more rows of the embedding would never be read. Longer positions than the smaller model had are new to
the larger one as well.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from mrclassic.errors import UsageError
from mrclassic.model.decoder import Block, Decoder
from mrclassic.model.policy import Policy
from mrclassic.model.rotary import frequencies
from mrclassic.model.shapes import Shape

TOLERANCE = 1e-3  # of logits, which are tens: float32 leaves a hundredth of it
_WRITES = ("embedding", "out", "down")  # into the stream
# What an optimizer keeps of a weight, with the power of the weight's own factor that each grows by: where a weight is
# multiplied by s, its gradient is divided by s.
_KEPT = {"exp_avg": -1, "exp_avg_sq": -2, "momentum_buffer": -1}


def larger(shape: Shape, target: Shape) -> Shape:
    """`target` as far as `shape` can grow into it (see above); raises UsageError where it is not larger."""
    if shape.qk_norm:
        raise UsageError("A model of the Qwen3 family cannot grow: its norms of heads and stream share one epsilon.")
    sizes = [(shape.hidden, target.hidden), (shape.layers, target.layers), (shape.ffn, target.ffn)]
    if any(own > wanted for own, wanted in sizes) or all(own == wanted for own, wanted in sizes):
        raise UsageError(
            f"A model {shape.hidden} wide with {shape.layers} layers of {shape.ffn} units cannot grow to one "
            f"{target.hidden} wide with {target.layers} of {target.ffn}; grow to a larger size."
        )
    group, wanted_group = shape.heads // shape.kv_heads, target.heads // target.kv_heads
    heads, kv_heads = target.heads, target.kv_heads
    if shape.kv_heads * _copies(group, wanted_group) > kv_heads:
        kv_heads = max(shape.kv_heads, kv_heads)
        heads = kv_heads * max(group, wanted_group)
    grown = replace(
        shape,
        hidden=target.hidden,
        layers=target.layers,
        ffn=target.ffn,
        heads=heads,
        kv_heads=kv_heads,
        head_dim=target.head_dim,
        context=max(shape.context, target.context),
        norm_eps=shape.norm_eps * shape.hidden / target.hidden,
    )
    return grown if _turns_alike(shape, grown) else replace(grown, head_dim=shape.head_dim)


def grow(policy: Policy, target: Shape, seed: int = 0) -> Policy:
    """A float32 policy of the shape `larger` gives, with the logits of `policy`; `seed` draws what is new."""
    old = policy.shape
    new = larger(old, target)
    decoder = Decoder(new)
    decoder.initialise(torch.Generator().manual_seed(seed))
    fresh = dict(decoder.named_parameters())
    with torch.no_grad():
        for name, weight in fresh.items():
            if name.rpartition(".")[2] in _WRITES:
                weight.zero_()
            elif name.endswith("norm"):
                weight.fill_((old.hidden / new.hidden) ** 0.5)
        for block in decoder.blocks:
            assert isinstance(block, Block)
            queries = block.qkv[: new.heads * new.head_dim].view(new.heads, new.head_dim, new.hidden)
            queries[_heads(old, new)] = 0.0
        for name, weight in policy.decoder.named_parameters():
            named, place = _place(name, old, new)
            place.put(fresh[named], weight.float().cpu())
    return Policy(decoder.to(policy.device), policy.tokenizer, policy.generation)


@torch.no_grad()
def difference(one: Policy, other: Policy) -> float:
    """The largest difference between the logits of two policies of the same tokenizer, on random tokens."""
    rng = torch.Generator().manual_seed(0)
    ids = torch.randint(one.live, (4, min(128, one.shape.context)), generator=rng).to(one.device)
    logits = [policy.decoder.logits(policy.decoder(ids), policy.live) for policy in (one, other)]
    return float((logits[0] - logits[1]).abs().max())


def grow_moments(moments: Mapping[str, Tensor], old: Shape, target: Shape) -> dict[str, Tensor]:
    """What an optimizer kept of a model's weights (by names such as `exp_avg.blocks.0.qkv`), for the grown model's;
    what is new begins without any. Empty where it was kept in another form than the weights' own."""
    new = larger(old, target)
    with torch.device("meta"):
        small = {name: weight.shape for name, weight in Decoder(old).named_parameters()}
        large = {name: weight.shape for name, weight in Decoder(new).named_parameters()}
    found: dict[str, Tensor] = {}
    for each, tensor in moments.items():
        key, _, name = each.partition(".")
        if key in ("master", "reference"):
            continue
        if name not in small or key not in (*_KEPT, "step") or (key != "step" and tensor.shape != small[name]):
            return {}
        named, place = _place(name, old, new)
        if key == "step":
            found[f"{key}.{named}"] = tensor.clone()
        else:
            found[f"{key}.{named}"] = place.put(torch.zeros(large[named]), tensor.float().cpu(), _KEPT[key])
    return found


@dataclass(frozen=True)
class _Place:
    """Where the numbers of a weight go in its larger one: row `of[i]` times `scale[i]` to row `rows[i]`, its columns to
    `columns`."""

    rows: Tensor
    of: Tensor
    scale: Tensor
    columns: Tensor | None = None

    def put(self, target: Tensor, source: Tensor, power: int = 1) -> Tensor:
        """Write `source` into `target`, its factors to the power of `power`; returns `target`."""
        scale = self.scale**power
        if self.columns is None:
            target[self.rows] = source[self.of] * scale
        else:
            target[self.rows[:, None], self.columns] = source[self.of] * scale[:, None]
        return target


def _place(name: str, old: Shape, new: Shape) -> tuple[str, _Place]:
    """The name of the weight in the larger network, and where in it the smaller one's numbers go."""
    stream, kind = torch.arange(old.hidden), name.rpartition(".")[2]
    if name.startswith("blocks."):
        _, layer, rest = name.split(".", 2)
        name = f"blocks.{int(layer) * new.layers // old.layers}.{rest}"
    if kind.endswith("norm"):
        return name, _rows(stream, scale=(old.hidden / new.hidden) ** 0.5)
    units = torch.arange(old.ffn)
    match kind:
        case "embedding" | "head":
            return name, _rows(torch.arange(old.vocab_size), columns=stream)
        case "qkv":
            return name, replace(_projections(old, new), columns=stream)
        case "qkv_bias":
            return name, _projections(old, new)
        case "out":
            return name, _rows(stream, columns=_spread(_heads(old, new), old, new))
        case "out_bias":
            return name, _rows(stream)
        case "gate_up":
            return name, _rows(torch.cat((units, new.ffn + units)), columns=stream)
        case "down":
            return name, _rows(stream, columns=units)
    raise AssertionError(f"a weight called {name}")


def _rows(rows: Tensor, columns: Tensor | None = None, scale: float = 1.0) -> _Place:
    return _Place(rows, torch.arange(len(rows)), torch.full((len(rows),), scale), columns)


def _projections(old: Shape, new: Shape) -> _Place:
    """Of queries, keys and values, which stand in this order in one matrix."""
    places = [_spread(_heads(old, new), old, new)]
    sources = [torch.arange(old.heads * old.head_dim)]
    copies = _copies(old.heads // old.kv_heads, new.heads // new.kv_heads)
    kept = torch.arange(old.kv_heads).repeat_interleave(copies)
    inside = torch.arange(old.head_dim)
    for part in range(2):
        begin, former = new.heads + part * new.kv_heads, old.heads + part * old.kv_heads
        places.append(_spread(begin + torch.arange(len(kept)), old, new))
        sources.append(((former + kept)[:, None] * old.head_dim + inside).flatten())
    scale = torch.ones(sum(map(len, places)))
    scale[: len(places[0])] = (new.head_dim / old.head_dim) ** 0.5
    return _Place(torch.cat(places), torch.cat(sources), scale)


def _heads(old: Shape, new: Shape) -> Tensor:
    """The place of each head: behind the keys that were its own, or a copy of them."""
    group, room = old.heads // old.kv_heads, new.heads // new.kv_heads
    head = torch.arange(old.heads)
    kept, at = head // group * _copies(group, room) + head % group // room, head % group % room
    return kept * room + at


def _copies(group: int, room: int) -> int:
    """How many keys of `room` heads each it takes to serve `group` heads."""
    return -(-group // room)


def _spread(heads: Tensor, old: Shape, new: Shape) -> Tensor:
    """Where the numbers of the old heads are in the new ones `heads`: the two halves of a head turn into each other."""
    half, times = torch.arange(old.head_dim // 2), new.head_dim // old.head_dim
    inside = torch.cat((half * times, new.head_dim // 2 + half * times))
    return (heads[:, None] * new.head_dim + inside).flatten()


def _turns_alike(old: Shape, new: Shape) -> bool:
    """Whether the pairs of the old heads find their frequencies in the new ones."""
    if new.head_dim % old.head_dim:
        return False
    return torch.allclose(frequencies(new)[:: new.head_dim // old.head_dim], frequencies(old), rtol=1e-6, atol=0.0)
