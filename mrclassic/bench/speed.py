"""How fast this machine rolls out, practises and studies, and what share of its matrix-product speed that is.

`matmul_share` is the useful floating-point work of the method, over time, divided by the rate of a 2048-cubed matrix
product in the number format used, measured in the same run. Useful work counts each token's multiply-adds once a
forward pass (three times where gradients are taken), and not what padding or bookkeeping adds.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from mrclassic.errors import UsageError
from mrclassic.model.checkpoint import read_model
from mrclassic.model.device import choose_device, choose_dtype, set_threads
from mrclassic.model.engine import Completion, Engine, Request
from mrclassic.model.policy import Policy
from mrclassic.training import policy_gradient as pg
from mrclassic.training.advantages import centred
from mrclassic.training.losses import Loss, Size
from mrclassic.training.rows import Row
from mrclassic.training.trainee import Trainee

MODES = ("rollout", "grpo", "book")


@dataclass(frozen=True)
class Job:
    """What to measure: the options of the peer, by the same names."""

    mode: str
    model: Path
    prompts: Path
    group: int = 8
    prompts_per_step: int = 32
    max_new: int = 64
    batch: int = 32
    steps: int = 5
    threads: int | None = None
    no_eos: bool = False
    device: str = "auto"
    dtype: str = "auto"


@dataclass(frozen=True)
class Speed:
    """Medians over the steps after the first."""

    peer: str
    mode: str
    params: int
    step_s: float
    completions_per_s: float
    tokens_per_s: float
    steps: int
    matmul_share: float
    matmul_gflops: float
    dtype: str


def read_rows(path: Path) -> list[dict[str, str]]:
    """Lines of {"prompt", "completion"}, the prompt already in the model's chat format."""
    rows: list[dict[str, str]] = []
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise UsageError(
            f"{path} cannot be read ({error.strerror}); give a JSONL file of prompts and completions."
        ) from error
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row: Any = json.loads(line)
            rows.append({"prompt": row["prompt"], "completion": row.get("completion", "")})
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise UsageError(f'{path} line {number}: not a JSON object with a "prompt".') from error
    if not rows:
        raise UsageError(f"{path} holds no prompts.")
    return rows


def measure(job: Job) -> Speed:
    """Run the job's steps and take the median."""
    if job.mode not in MODES:
        raise UsageError(f"There is no bench {job.mode!r}; there are {', '.join(MODES)}.")
    set_threads(job.threads)
    device = choose_device(job.device)
    dtype = choose_dtype(device, job.dtype)
    rows = read_rows(job.prompts)
    policy = read_model(job.model, str(device))
    run = {"rollout": _rollout, "grpo": _grpo, "book": _book}[job.mode]
    seconds, tokens, flops = run(policy, rows, job, dtype)
    step = statistics.median(seconds[1:] or seconds)
    rate = matmul_rate(device, dtype)
    done = job.batch if job.mode == "book" else job.group * job.prompts_per_step
    return Speed(
        peer="mrclassic",
        mode=job.mode,
        params=policy.shape.parameters,
        step_s=round(step, 4),
        completions_per_s=round(done / step, 2),
        tokens_per_s=round(statistics.mean(tokens) / step, 1),
        steps=len(seconds),
        matmul_share=round(statistics.mean(flops) / step / rate, 4),
        matmul_gflops=round(rate / 1e9, 1),
        dtype={torch.bfloat16: "bf16", torch.float32: "fp32"}[dtype],
    )


def matmul_rate(device: torch.device, dtype: torch.dtype, size: int = 2048, repeats: int = 7) -> float:
    """Floating-point operations a second of a square matrix product (median)."""
    left, right = (torch.randn(size, size, device=device).to(dtype) for _ in range(2))
    times = []
    for _ in range(repeats):
        begun = _now(device)
        torch.mm(left, right)
        times.append(_now(device) - begun)
    return 2.0 * size**3 / statistics.median(times)


def _now(device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


_Measured = tuple[list[float], list[int], list[float]]


def _requests(policy: Policy, rows: Sequence[dict[str, str]], job: Job, step: int) -> list[Request]:
    encode = policy.tokenizer.backend.encode  # the prompt is in chat format: its role tokens are meant
    count = job.prompts_per_step
    chosen = [rows[(step * count + at) % len(rows)]["prompt"] for at in range(count)]
    return [
        Request(
            tuple(encode(text, add_special_tokens=False).ids),
            n=job.group,
            max_new=job.max_new,
            seed=step,
            first_row=at * job.group,
            ignore_end=job.no_eos,
        )
        for at, text in enumerate(chosen)
    ]


def _forward(policy: Policy, prompt: int, new: int, scored: int) -> float:
    """Operations of reading `prompt` tokens, then `new` ones one by one or at once, and scoring `scored` positions."""
    shape = policy.shape
    read = shape.block_flops(prompt / 2) * prompt + shape.block_flops(prompt + new / 2) * new
    return read + shape.head_flops(policy.live) * scored


def _rollout(policy: Policy, rows: Sequence[dict[str, str]], job: Job, dtype: torch.dtype) -> _Measured:
    seconds, tokens, flops = [], [], []
    speaking = policy.cast(dtype)
    speaking.decoder.requires_grad_(False)
    for step in range(job.steps):
        requests = _requests(policy, rows, job, step)
        begun = _now(policy.device)
        groups = Engine(speaking, job.group * job.prompts_per_step).generate(requests)
        seconds.append(_now(policy.device) - begun)
        tokens.append(sum(len(completion.tokens) for group in groups for completion in group))
        flops.append(_rollout_flops(policy, requests, groups))
    return seconds, tokens, flops


def _rollout_flops(policy: Policy, requests: Sequence[Request], groups: Sequence[Sequence[Completion]]) -> float:
    """Each prompt once, each of its completions' tokens once."""
    total = 0.0
    for request, group in zip(requests, groups, strict=True):
        prompt = len(request.tokens)
        total += _forward(policy, prompt, 0, 0)
        for completion in group:
            drawn = len(completion.tokens)
            total += _forward(policy, prompt, drawn, drawn) - _forward(policy, prompt, 0, 0)
    return total


def _grpo(policy: Policy, rows: Sequence[dict[str, str]], job: Job, dtype: torch.dtype) -> _Measured:
    """On-policy, no divergence term: what the peer computes. Its reward is the share of distinct tokens."""
    seconds, tokens, flops = [], [], []
    trainee = Trainee(policy, dtype)
    for step in range(job.steps):
        requests = _requests(policy, rows, job, step)
        begun = _now(policy.device)
        groups = Engine(trainee.policy, job.group * job.prompts_per_step).generate(requests)
        rollouts = []
        for request, group in zip(requests, groups, strict=True):
            rewards = [len(set(c.tokens)) / max(1, len(c.tokens)) for c in group]
            for completion, advantage in zip(group, centred(rewards), strict=True):
                rollouts.append(pg.rollout(request.tokens, completion, advantage))
        size = Size(len(rollouts), 0, job.max_new)
        pg.accumulate(trainee, rollouts, Loss(beta=0.0), size, pg.Sampling(job.max_new), reference=None)
        trainee.update(1e-6)
        seconds.append(_now(policy.device) - begun)
        tokens.append(sum(len(completion.tokens) for group in groups for completion in group))
        trained = sum(3 * _forward(policy, len(each.row.ids) - 1, 0, each.row.targets) for each in rollouts)
        flops.append(_rollout_flops(policy, requests, groups) + trained)
    return seconds, tokens, flops


def _book(policy: Policy, rows: Sequence[dict[str, str]], job: Job, dtype: torch.dtype) -> _Measured:
    seconds, tokens, flops = [], [], []
    trainee = Trainee(policy, dtype)
    tokenizer = policy.tokenizer
    examples = []
    for each in rows:
        prompt = tokenizer.backend.encode(each["prompt"], add_special_tokens=False).ids
        examples.append(Row((*prompt, *tokenizer.encode(each["completion"]), tokenizer.end_id), len(prompt)))
    for step in range(job.steps):
        batch = [examples[(step * job.batch + at) % len(examples)] for at in range(job.batch)]
        begun = _now(policy.device)
        trainee.cross_entropy(batch)
        trainee.update(1e-4)
        seconds.append(_now(policy.device) - begun)
        tokens.append(sum(len(row.ids) for row in batch))
        flops.append(sum(3 * _forward(policy, len(row.ids) - 1, 0, row.targets) for row in batch))
    return seconds, tokens, flops
