"""The same work by transformers and TRL, for a ratio measured in one run: what a user would otherwise run.

Run as a script by the Python that has them (`pip install trl transformers datasets accelerate`), so that they need not
be installed beside Mr. Classic. Takes one JSON object as its argument and prints one.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
from typing import Any

MISSING = 3  # exit status: TRL is not installed here


def main(job: dict[str, Any]) -> dict[str, Any]:
    """Measure `job` with the peer: the fields of `bench.speed.Job`, and `scratch`, the folder it may write to; for
    base training what `bench.base.measure` gives."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    if job["threads"]:
        torch.set_num_threads(job["threads"])
    torch.manual_seed(0)
    tokenizer = AutoTokenizer.from_pretrained(job["model"])
    model = AutoModelForCausalLM.from_pretrained(job["model"], dtype=torch.float32)
    if job["mode"] == "base":
        return _base(model, tokenizer, job)
    with open(job["prompts"], encoding="utf-8") as file:  # noqa: PTH123 - this script stands alone
        rows = [json.loads(line) for line in file if line.strip()]
    measured = {"rollout": _rollout, "grpo": _grpo, "book": _book}[job["mode"]]
    seconds, tokens = measured(model, tokenizer, rows, job)
    step = statistics.median(seconds[1:] or seconds)
    done = job["batch"] if job["mode"] == "book" else job["group"] * job["prompts_per_step"]
    return {
        "peer": "transformers" if job["mode"] == "rollout" else "trl",
        "mode": job["mode"],
        "params": sum(weight.numel() for weight in model.parameters()),
        "step_s": round(step, 4),
        "completions_per_s": round(done / step, 2),
        "tokens_per_s": round(tokens / step, 1),
        "steps": len(seconds),
    }


def _rollout(model: Any, tokenizer: Any, rows: list[dict[str, str]], job: dict[str, Any]) -> tuple[list[float], float]:
    import torch

    tokenizer.padding_side = "left"
    if torch.cuda.is_available():
        model.cuda().bfloat16()
    model.eval()
    count, seconds, tokens = job["prompts_per_step"], [], []
    least = {"min_new_tokens": job["max_new"]} if job["no_eos"] else {}
    for step in range(job["steps"]):
        texts = [rows[(step * count + at) % len(rows)]["prompt"] for at in range(count) for _ in range(job["group"])]
        inputs = tokenizer(texts, return_tensors="pt", padding=True, add_special_tokens=False).to(model.device)
        inputs.pop("token_type_ids", None)
        begun = time.perf_counter()
        with torch.inference_mode(), torch.autocast(model.device.type, torch.bfloat16):
            out = model.generate(
                **inputs, do_sample=True, temperature=1.0, top_k=0, max_new_tokens=job["max_new"], **least
            )
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - begun)
        tokens.append(int((out[:, inputs["input_ids"].shape[1] :] != tokenizer.pad_token_id).sum()))
    return seconds, statistics.mean(tokens)


def _clock() -> Any:
    from transformers import TrainerCallback

    class Clock(TrainerCallback):
        """Seconds from the beginning of each step to that of the next."""

        def __init__(self) -> None:
            self.marks: list[float] = []

        def on_step_begin(self, *args: Any, **kwargs: Any) -> None:
            self.marks.append(time.perf_counter())

        def on_train_end(self, *args: Any, **kwargs: Any) -> None:
            self.marks.append(time.perf_counter())

        @property
        def seconds(self) -> list[float]:
            return [after - before for before, after in zip(self.marks, self.marks[1:], strict=False)]

    return Clock()


def _common(job: dict[str, Any]) -> dict[str, Any]:
    import torch

    return {
        "output_dir": job["scratch"],
        "max_steps": job["steps"],
        "bf16": True,
        "use_cpu": not torch.cuda.is_available(),
        "report_to": [],
        "save_strategy": "no",
        "logging_steps": 1000,
        "disable_tqdm": True,
    }


def _grpo(model: Any, tokenizer: Any, rows: list[dict[str, str]], job: dict[str, Any]) -> tuple[list[float], float]:
    from datasets import Dataset
    from trl import GRPOConfig, GRPOTrainer

    lengths: list[int] = []

    def distinct(completion_ids: list[list[int]], **columns: Any) -> list[float]:
        lengths.append(sum(map(len, completion_ids)))
        return [len(set(ids)) / max(1, len(ids)) for ids in completion_ids]

    clock = _clock()
    config = GRPOConfig(
        per_device_train_batch_size=job["group"] * job["prompts_per_step"],
        num_generations=job["group"],
        max_completion_length=job["max_new"],
        learning_rate=1e-6,
        beta=0.0,
        temperature=1.0,
        generation_kwargs={"min_new_tokens": job["max_new"]} if job["no_eos"] else {},
        **_common(job),
    )
    dataset = Dataset.from_list([{"prompt": row["prompt"]} for row in rows])
    GRPOTrainer(
        model=model,
        reward_funcs=distinct,
        args=config,
        processing_class=tokenizer,
        train_dataset=dataset,
        callbacks=[clock],
    ).train()
    return clock.seconds, statistics.mean(lengths)


def _book(model: Any, tokenizer: Any, rows: list[dict[str, str]], job: dict[str, Any]) -> tuple[list[float], float]:
    from datasets import Dataset
    from trl import SFTConfig, SFTTrainer

    clock = _clock()
    config = SFTConfig(per_device_train_batch_size=job["batch"], learning_rate=1e-4, **_common(job))
    dataset = Dataset.from_list([{"prompt": row["prompt"], "completion": row["completion"]} for row in rows])
    SFTTrainer(model=model, args=config, processing_class=tokenizer, train_dataset=dataset, callbacks=[clock]).train()
    lengths = [len(tokenizer(row["prompt"] + row["completion"])["input_ids"]) for row in rows]
    return clock.seconds, job["batch"] * statistics.mean(lengths)


def _base(model: Any, tokenizer: Any, job: dict[str, Any]) -> dict[str, Any]:
    """The same windows by TRL's trainer, a window a row and padded (as it comes), or packed by it into full rows;
    AdamW on the same schedule."""
    import math

    from datasets import Dataset
    from trl import SFTConfig, SFTTrainer

    windows = _windows(f"{job['folder']}/learned.npz")
    tokens = sum(len(window) - 1 for window in windows)
    rate = job["rate"]
    clock = _clock()
    rows = job["batch"] if job["packed"] else max(1, round(len(windows) / job["updates"]))
    config = SFTConfig(
        per_device_train_batch_size=rows,
        max_length=job["context"],
        packing=job["packed"],
        packing_strategy="wrapped",  # documents cut where a row is full: no padding at all
        learning_rate=rate["peak"],
        warmup_steps=rate["warmup"],
        lr_scheduler_type="cosine_with_min_lr",
        lr_scheduler_kwargs={"min_lr_rate": rate["floor"]},
        weight_decay=job["weight_decay"],
        adam_beta2=0.95,
        max_grad_norm=1.0,
        seed=job["seed"],
        gradient_checkpointing=False,
        **_common(job),
    )
    SFTTrainer(
        model=model,
        args=config,
        processing_class=tokenizer,
        train_dataset=Dataset.from_list([{"input_ids": window.tolist()} for window in windows]),
        callbacks=[clock],
    ).train()
    step = statistics.median(clock.seconds[1:] or clock.seconds)
    loss = _held_out(model, _windows(f"{job['folder']}/held_out.npz"))
    return {
        "peer": "trl, packed" if job["packed"] else "trl",
        "mode": "base",
        "params": sum(weight.numel() for weight in model.parameters()),
        "step_s": round(step, 4),
        "tokens_per_s": round((rows * job["context"] if job["packed"] else tokens / job["updates"]) / step, 1),
        "steps": len(clock.seconds),
        "seconds": round(sum(clock.seconds), 1),
        "perplexity": round(math.exp(loss), 2),
    }


def _windows(path: str) -> list[Any]:
    import numpy as np

    with np.load(path) as file:
        return list(np.split(file["ids"], np.cumsum(file["lengths"])[:-1]))


def _held_out(model: Any, windows: list[Any]) -> float:
    """The mean token loss in nats over `windows`, all but the first id of each."""
    import torch

    model.eval()
    total = count = 0.0
    with torch.inference_mode():
        for window in windows:
            ids = torch.from_numpy(window)[None].to(model.device)
            logits = model(input_ids=ids).logits[0, :-1].float()
            total += float(torch.nn.functional.cross_entropy(logits, ids[0, 1:], reduction="sum"))
            count += len(window) - 1
    return total / count


if __name__ == "__main__":
    try:
        import trl  # noqa: F401
    except ImportError:
        sys.exit(MISSING)
    print(json.dumps(main(json.loads(sys.argv[1]))))  # noqa: T201
