"""Tokenizers and chat templates in the form in which the families publish theirs, small enough to be made in a test.

The vocabularies are trained on a few words; the splitting, the normalising, the special tokens and what the templates
do (default system prompts, tools, stripped thoughts, dates, refusals) are those of the published ones.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

_TEXTS = (
    "Hello. Good morning, how are you today? I am well, thank you; words and more words.",
    "user assistant system You are a helpful assistant. What is 47 + 85? 7+5=12, so it is 132.",
    "naïve café 你好，世界 🙂 tabs\tand\n\nlines, I've, don't, we'll, THE END",
) * 4

_QWEN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_LLAMA3 = _QWEN.replace(r"\p{N}|", r"\p{N}{1,3}|", 1)


@dataclass(frozen=True)
class Words:
    """A family's tokenizer, and what its `tokenizer_config.json` and `generation_config.json` say."""

    backend: Tokenizer
    config: dict[str, Any]
    generation: dict[str, Any]
    closing: str

    def save(self, folder: Path, *, jinja: bool = False) -> None:
        """Write them; the template in a file of its own with `jinja`, else among the settings, as before 2025."""
        config = dict(self.config)
        if jinja:
            (folder / "chat_template.jinja").write_text(config.pop("chat_template"), encoding="utf-8")
        self.backend.save(str(folder / "tokenizer.json"))
        (folder / "tokenizer_config.json").write_text(json.dumps(config), encoding="utf-8")
        (folder / "generation_config.json").write_text(json.dumps(self.generation), encoding="utf-8")


def _byte_level(pattern: str, special: list[str], *, nfc: bool = False) -> Tokenizer:
    backend = Tokenizer(models.BPE())
    if nfc:
        backend.normalizer = normalizers.NFC()
    backend.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(pattern), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    backend.decoder = decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(vocab_size=330, min_frequency=2, show_progress=False, initial_alphabet=alphabet)
    backend.train_from_iterator(_TEXTS, trainer)
    backend.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in special])
    return backend


QWEN25 = """\
{%- if tools %}
    {{- '<|im_start|>system\\n' }}
    {%- if messages[0]['role'] == 'system' %}{{- messages[0]['content'] }}{%- endif %}
    {%- for tool in tools %}{{- "\\n" }}{{- tool | tojson }}{%- endfor %}
    {{- "<|im_end|>\\n" }}
{%- else %}
    {%- if messages[0]['role'] == 'system' %}
        {{- '<|im_start|>system\\n' + messages[0]['content'] + '<|im_end|>\\n' }}
    {%- else %}
        {{- '<|im_start|>system\\nYou are a helpful assistant.<|im_end|>\\n' }}
    {%- endif %}
{%- endif %}
{%- for message in messages %}
    {%- if (message.role == "user") or (message.role == "system" and not loop.first)
        or (message.role == "assistant" and not message.tool_calls) %}
        {{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>' + '\\n' }}
    {%- elif message.role == "assistant" %}
        {%- for call in message.tool_calls %}{{- call.arguments | tojson }}{%- endfor %}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}
"""

QWEN3 = """\
{%- set ns = namespace(searching=true, last=messages|length - 1) %}
{%- for message in messages[::-1] %}
    {%- set index = (messages|length - 1) - loop.index0 %}
    {%- if ns.searching and message.role == "user" and message.content is string %}
        {%- set ns.searching = false %}
        {%- set ns.last = index %}
    {%- endif %}
{%- endfor %}
{%- for message in messages %}
    {%- set content = message.content if message.content is string else '' %}
    {%- if message.role == "user" or message.role == "system" %}
        {{- '<|im_start|>' + message.role + '\\n' + content + '<|im_end|>' + '\\n' }}
    {%- elif message.role == "assistant" %}
        {%- set thought = '' %}
        {%- if message.reasoning_content is string %}
            {%- set thought = message.reasoning_content %}
        {%- elif '</think>' in content %}
            {%- set thought = content.split('</think>')[0].rstrip('\\n').split('<think>')[-1].lstrip('\\n') %}
            {%- set content = content.split('</think>')[-1].lstrip('\\n') %}
        {%- endif %}
        {%- if loop.index0 > ns.last and (loop.last or thought) %}
            {{- '<|im_start|>assistant\\n<think>\\n' + thought.strip('\\n') + '\\n</think>\\n\\n' + content }}
        {%- else %}
            {{- '<|im_start|>assistant\\n' + content }}
        {%- endif %}
        {{- '<|im_end|>\\n' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
    {%- if enable_thinking is defined and enable_thinking is false %}{{- '<think>\\n\\n</think>\\n\\n' }}{%- endif %}
{%- endif %}
"""

LLAMA32 = """\
{{- bos_token }}
{%- if not tools is defined %}{%- set tools = none %}{%- endif %}
{%- if not date_string is defined %}
    {%- if strftime_now is defined %}{%- set date_string = strftime_now("%d %b %Y") %}
    {%- else %}{%- set date_string = "26 Jul 2024" %}{%- endif %}
{%- endif %}
{%- if messages[0]['role'] == 'system' %}
    {%- set system_message = messages[0]['content']|trim %}
    {%- set messages = messages[1:] %}
{%- else %}
    {%- set system_message = "" %}
{%- endif %}
{{- "<|start_header_id|>system<|end_header_id|>\\n\\n" }}
{%- if tools is not none %}{{- "Environment: ipython\\n" }}{%- endif %}
{{- "Cutting Knowledge Date: December 2023\\nToday Date: " + date_string + "\\n\\n" }}
{{- system_message }}
{{- "<|eot_id|>" }}
{%- for message in messages %}
    {%- if not (message.role == 'ipython' or message.role == 'tool' or 'tool_calls' in message) %}
        {{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n' }}
        {{- message['content'] | trim + '<|eot_id|>' }}
    {%- elif 'tool_calls' in message %}
        {%- if not message.tool_calls|length == 1 %}{{- raise_exception("One call at a time.") }}{%- endif %}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{%- endif %}
"""

TINYLLAMA = """\
{% for message in messages %}
{% if message['role'] == 'user' %}
{{ '<|user|>\\n' + message['content'] + eos_token }}
{% elif message['role'] == 'system' %}
{{ '<|system|>\\n' + message['content'] + eos_token }}
{% elif message['role'] == 'assistant' %}
{{ '<|assistant|>\\n'  + message['content'] + eos_token }}
{% endif %}
{% if loop.last and add_generation_prompt %}
{{ '<|assistant|>' }}
{% endif %}
{% endfor %}"""


@cache
def qwen(template: str = QWEN25) -> Words:
    """ChatML over a byte-level BPE that splits digits singly; a base token and a turn token both end a reply."""
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    backend = _byte_level(_QWEN, special, nfc=True)
    backend.add_tokens([AddedToken(token, special=False, normalized=False) for token in ("<tool_call>", "<think>")])
    end, base = backend.token_to_id("<|im_end|>"), backend.token_to_id("<|endoftext|>")
    config = {
        "add_prefix_space": False,
        "bos_token": None,
        "chat_template": template,
        "eos_token": "<|im_end|>",
        "pad_token": "<|endoftext|>",
        "tokenizer_class": "Qwen2Tokenizer",
    }
    generation = {
        "bos_token_id": base, "do_sample": True, "eos_token_id": [end, base], "pad_token_id": base,
        "repetition_penalty": 1.1, "temperature": 0.7, "top_k": 20, "top_p": 0.8, "transformers_version": "4.37.0",
    }  # fmt: skip
    return Words(backend, config, generation, "<|im_end|>")


@cache
def llama3() -> Words:
    """Header tokens, a begin token that the template writes, digits in threes, three tokens that end a reply."""
    special = ["<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eom_id|>"]
    backend = _byte_level(_LLAMA3, [*special, "<|eot_id|>"])
    begin = backend.token_to_id("<|begin_of_text|>")
    backend.post_processor = processors.Sequence(
        [
            processors.ByteLevel(trim_offsets=False),
            processors.TemplateProcessing(
                single="<|begin_of_text|> $A", pair=None, special_tokens=[("<|begin_of_text|>", begin)]
            ),
        ]
    )
    ends = [backend.token_to_id(token) for token in ("<|end_of_text|>", "<|eom_id|>", "<|eot_id|>")]
    config = {
        "bos_token": "<|begin_of_text|>",
        "chat_template": LLAMA32,
        "eos_token": "<|eot_id|>",
        "model_input_names": ["input_ids", "attention_mask"],
        "tokenizer_class": "PreTrainedTokenizerFast",
    }
    generation = {"bos_token_id": begin, "do_sample": True, "eos_token_id": ends, "temperature": 0.6, "top_p": 0.9}
    return Words(backend, config, generation, "<|eot_id|>")


@cache
def tinyllama() -> Words:
    """SentencePiece's habits: a space put before text, spaces as marks, unknown characters as bytes."""
    backend = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    backend.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    backend.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    special = ["<unk>", "<s>", "</s>"]
    letters = sorted(set("".join(_TEXTS)) & set(map(chr, range(33, 127))) | {"▁"})
    trainer = trainers.BpeTrainer(
        vocab_size=420,
        show_progress=False,
        special_tokens=special,
        initial_alphabet=letters,
        limit_alphabet=len(letters),
    )
    backend.train_from_iterator([word for text in _TEXTS for word in text.split()], trainer)
    made = json.loads(backend.to_str())
    vocabulary = made["model"]["vocab"]
    for byte in range(256):
        vocabulary.setdefault(f"<0x{byte:02X}>", len(vocabulary))
    backend = Tokenizer.from_str(json.dumps(made))
    backend.post_processor = processors.TemplateProcessing(single="<s> $A", pair=None, special_tokens=[("<s>", 1)])
    config = {
        "add_bos_token": True,
        "bos_token": {"__type": "AddedToken", "content": "<s>", "special": True},
        "chat_template": TINYLLAMA,
        "eos_token": {"__type": "AddedToken", "content": "</s>", "special": True},
        "pad_token": "</s>",
        "tokenizer_class": "LlamaTokenizer",
        "unk_token": "<unk>",
    }
    return Words(backend, config, {"bos_token_id": 1, "eos_token_id": 2, "max_length": 2048}, "</s>")
