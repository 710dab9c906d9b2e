"""What a model could do before a supervised run, in its own words: rows to replay so that it still can afterwards.

The model answers fresh items of every level, and the answers that the verifier calls right are kept; beside them stand
questions as it writes them. Its own right answers keep a skill where it is (on-policy data moves the weights least),
where worked answers from the generator would teach it something else at the same time.
"""

from __future__ import annotations

from mrclassic.model.engine import Engine, Request
from mrclassic.model.policy import Policy
from mrclassic.tasks import arithmetic
from mrclassic.tasks.base import keyed
from mrclassic.training.rows import Row
from mrclassic.training.skills import QUESTIONER

ITEMS, QUESTIONS = 400, 60  # of each level; of the questioner


def memories(policy: Policy, seed: int) -> list[Row]:
    """Right answers of `policy` to `ITEMS` training items a level, and `QUESTIONS` questions it would ask."""
    tokenizer = policy.tokenizer
    items = [
        arithmetic.sample(keyed(seed, "memory", level, at), level) for level in arithmetic.levels for at in range(ITEMS)
    ]
    prompts = [tuple(tokenizer.encode_chat(item.messages)) for item in items]
    requests = [Request(prompt, temperature=0.0) for prompt in prompts]
    asking = tuple(tokenizer.encode_chat(QUESTIONER))
    requests.append(Request(asking, n=QUESTIONS, max_new=24, seed=seed))
    *answers, questions = Engine(policy).generate(requests)
    rows = [
        Row((*prompt, *answer[0].tokens), len(prompt))
        for prompt, item, answer in zip(prompts, items, answers, strict=True)
        if answer[0].finish_reason == "stop" and arithmetic.check(item, tokenizer.decode(answer[0].tokens)).right
    ]
    rows += [
        Row((*asking, *question.tokens), len(asking)) for question in questions if question.finish_reason == "stop"
    ]
    return rows
