"""Tokenizers of other makers in their published form (steps, special tokens, chat template), small and trained here."""

from __future__ import annotations

import json
from collections.abc import Mapping

from tokenizers import AddedToken, Regex, decoders, models, normalizers, pre_tokenizers, processors, trainers
from tokenizers import Tokenizer as Backend
from tokenizers.pre_tokenizers import ByteLevel

from mrclassic.model.tokenizer import Tokenizer

TEXTS = (
    "Hello. Good morning, how are you today? I'm well, thank you; we're here and they'll come.",
    "What is 47 + 85? 7+5=12, 4+8+1=13, so 132.\n\nIt's 1990, or 1,024  times 33.\n  - one\n  - two\n",
    "Naïve café: über, señor, 你好世界。 ½ ② ٣٤ «quote» — “words” … 🙂👍\t\ttabs\r\nlines   spaces",
) * 4
TALKS = (
    "Hello, how are you?",
    "What is  47 + 85?\n\n5\n 7\t8 ",
    " don't they'LL WE'RE 'Tis  it's",
    "naïve ½ ②③ ٣٤٥ 你好 🙂👩‍👩‍👧 «x» — … 1,234.5",
    "   \n\n  \r\n end  ",
)

_WORDS = r"|[^\r\n\p{L}\p{N}]?\p{L}+|%s| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
_SPLIT = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)" + _WORDS

CHATML = (
    "{%% for message in messages %%}"
    "{%% if loop.first and messages[0]['role'] != 'system' %%}"
    "{{ '<|im_start|>system\\n%s<|im_end|>\\n' }}{%% endif %%}"
    "{{'<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n'}}{%% endfor %%}"
    "{%% if add_generation_prompt %%}{{ '<|im_start|>assistant\\n' }}{%% endif %%}"
)
LLAMA3 = (
    "{% for message in messages %}{% set content = '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n'"
    " + message['content'] | trim + '<|eot_id|>' %}{% if loop.index0 == 0 %}{% set content = bos_token + content %}"
    "{% endif %}{{ content }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{% endif %}"
)
ZEPHYR = (
    "{% for message in messages %}\n{{ '<|' + message['role'] + '|>\\n' + message['content'] + eos_token }}\n"
    "{% if loop.last and add_generation_prompt %}{{ '<|assistant|>' }}\n{% endif %}{% endfor %}"
)


def smollm() -> Tokenizer:
    """SmolLM2: digits apart, then GPT-2's cut."""
    steps = [pre_tokenizers.Digits(individual_digits=True), ByteLevel(add_prefix_space=False)]
    backend = _trained(steps, ("<|endoftext|>", "<|im_start|>", "<|im_end|>"))
    template = CHATML % "You are a helpful AI assistant named SmolLM, trained by Hugging Face"
    return Tokenizer(backend, template, end="<|im_end|>", pad="<|im_end|>", begin="<|im_start|>")


def qwen() -> Tokenizer:
    """Qwen2.5 and Qwen3: a cut of their own, composed characters, added tokens that are not special."""
    backend = _trained([_split(r"\p{N}")], ("<|endoftext|>", "<|im_start|>", "<|im_end|>"))
    backend.normalizer = normalizers.NFC()
    backend.add_tokens([AddedToken(token, normalized=False) for token in ("<think>", "</think>", "<tool_call>")])
    template = CHATML % "You are Qwen, created by Alibaba Cloud. You are a helpful assistant."
    return Tokenizer(backend, template, end="<|im_end|>", pad="<|endoftext|>", ends=[0])


def llama3() -> Tokenizer:
    """Llama 3: up to three digits together, whole words before merges, a begin token before all text."""
    names = ("<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>")
    backend = _trained([_split(r"\p{N}{1,3}")], names, ignore_merges=True)
    backend.post_processor = processors.Sequence(
        [
            processors.ByteLevel(trim_offsets=False),
            processors.TemplateProcessing(
                single="<|begin_of_text|> $A",
                pair="<|begin_of_text|> $A <|begin_of_text|> $B",
                special_tokens=[("<|begin_of_text|>", 0)],
            ),
        ]
    )
    return Tokenizer(backend, LLAMA3, end="<|eot_id|>", pad="<|end_of_text|>", begin="<|begin_of_text|>")


def tinyllama() -> Tokenizer:
    """TinyLlama: SentencePiece's BPE, unknown characters as bytes, every merge that makes a token, in its order."""
    backend = Backend(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.Metaspace()
    trainer = trainers.BpeTrainer(vocab_size=300, special_tokens=[], show_progress=False)
    backend.train_from_iterator(TEXTS, trainer)
    learnt = sorted(backend.get_vocab(), key=lambda token: (len(token) > 1, backend.token_to_id(token)))
    names = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), *learnt]
    vocab = {token: index for index, token in enumerate(names)}
    pairs = [(token[:cut], token[cut:]) for token in learnt for cut in range(1, len(token))]
    merges = [pair for pair in pairs if vocab.keys() >= set(pair)]
    made = Backend(models.BPE(vocab, merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    made.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    made.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    made.add_special_tokens([AddedToken(token, normalized=False) for token in names[:3]])
    made.post_processor = processors.TemplateProcessing(
        single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", 1)]
    )
    return Tokenizer(made, ZEPHYR, end="</s>", pad="</s>", begin="<s>")


def ours() -> Tokenizer:
    """Our own, of plain text."""
    return Tokenizer.train([text for text in TEXTS if text.isascii()], 420)


def typographic() -> Tokenizer:
    """Our own, of text whose quotation marks and dashes begin with bytes that numerals begin with, too."""
    return Tokenizer.train([*TEXTS, "a “b — c → d ≈ e € f ™ g • h " * 20], 460)


ALL: Mapping[str, object] = {"ours": ours, "smollm": smollm, "qwen": qwen, "llama3": llama3, "tinyllama": tinyllama}


def changed(tokenizer: Tokenizer, **parts: object) -> Tokenizer:
    """`tokenizer` with other parts in its `tokenizer.json`; those of its model go under the name `model`."""
    told = json.loads(tokenizer.backend.to_str())
    model = parts.pop("model", {})
    told |= parts
    told["model"] |= model
    return Tokenizer(Backend.from_str(json.dumps(told)), tokenizer.template, end=tokenizer.end, pad=tokenizer.pad)


def _split(numbers: str) -> pre_tokenizers.PreTokenizer:
    return pre_tokenizers.Split(Regex(_SPLIT % numbers), behavior="isolated")


def _trained(steps: list[pre_tokenizers.PreTokenizer], special: tuple[str, ...], **model: object) -> Backend:
    if not isinstance(steps[-1], ByteLevel):
        steps = [*steps, ByteLevel(add_prefix_space=False, use_regex=False)]
    backend = Backend(models.BPE(**model))
    backend.pre_tokenizer = pre_tokenizers.Sequence(steps)
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=420,
        min_frequency=2,
        show_progress=False,
        special_tokens=list(special),
        initial_alphabet=sorted(ByteLevel.alphabet()),
    )
    backend.train_from_iterator(TEXTS, trainer)
    return backend
