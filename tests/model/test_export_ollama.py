"""A Modelfile says what the chat template says, and keeps how replies are drawn."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import vocabularies
from exports import CARD, saved

from mrclassic.errors import Refused
from mrclassic.model.exporting import package
from mrclassic.model.exporting.ollama import form, modelfile
from mrclassic.model.tokenizer import Tokenizer

pytest.importorskip("gguf")

TALKS = (
    ("u",),
    ("s", "u"),
    ("u", "a", "u"),
    ("s", "u", "a", "u", "a", "u"),
)


def talk(roles: tuple[str, ...]) -> list[dict[str, str]]:
    names = {"s": "system", "u": "user", "a": "assistant"}
    return [{"role": names[role], "content": f'words {at} "{role}" {{{{x}}}}'} for at, role in enumerate(roles)]


def test_the_modelfile(tmp_path: Path) -> None:
    _, source = saved(tmp_path / "model")
    package.export(
        source, tmp_path / "out", CARD, form="ollama", sampling={"temperature": 0.7, "top_p": 1.0, "top_k": 0}
    )
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == ["Modelfile", "README.md", "model.gguf"]
    told = (tmp_path / "out" / "Modelfile").read_text()
    assert told.startswith('FROM ./model.gguf\nTEMPLATE """')
    assert re.findall(r"^PARAMETER .*$", told, re.MULTILINE) == [
        'PARAMETER stop "<|end|>"',
        "PARAMETER num_ctx 96",
        "PARAMETER temperature 0.7",
        "PARAMETER top_p 1",
        "PARAMETER top_k 0",
    ]


def test_what_the_makers_advise_is_kept_unless_the_owner_says_otherwise(tmp_path: Path) -> None:
    _, source = saved(tmp_path / "model", vocabularies.qwen)
    path = source.path / "generation_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "temperature": 0.6, "top_k": 20}))
    package.export(source, tmp_path / "out", CARD, form="ollama", sampling={"top_k": 40, "top_p": 0.9})
    told = (tmp_path / "out" / "Modelfile").read_text()
    for line in ('stop "<|im_end|>"', 'stop "<|endoftext|>"', "temperature 0.6", "top_p 0.9", "top_k 40"):
        assert f"PARAMETER {line}\n" in told


@pytest.mark.parametrize("name", vocabularies.ALL)
def test_the_form_writes_what_the_template_writes(name: str) -> None:
    tokenizer = vocabularies.ALL[name]()
    found = form(tokenizer)
    for roles in TALKS:
        assert found.render(talk(roles)) == tokenizer.render(talk(roles))


THINKING = (
    "{% set ns = namespace(last=0) %}{% for m in messages %}{% if m.role == 'user' %}{% set ns.last = loop.index0 %}"
    "{% endif %}{% endfor %}{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' }}"
    "{% if m.role == 'assistant' and loop.index0 > ns.last %}{{ '<think>\n\n</think>\n\n' }}{% endif %}"
    "{{ m.content + '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
DATED = (
    "{{ bos_token + 'Today is ' + strftime_now('%d %b %Y') + '.\n' }}{% for m in messages %}"
    "{{ m.role + ': ' + m.content + eos_token }}{% endfor %}"
    "{% if add_generation_prompt %}{{ 'assistant: ' }}{% endif %}"
)


def test_what_was_thought_before_the_last_reply_is_no_hindrance() -> None:
    """As Qwen3's template has it."""
    tokenizer = Tokenizer(vocabularies.qwen().backend, THINKING, end="<|im_end|>", pad="<|im_end|>")
    assert form(tokenizer).before["assistant"] == "<|im_start|>assistant\n"


def test_a_date_that_stays_is_noted(tmp_path: Path) -> None:
    """As Llama 3.2's template has it."""

    def dated() -> Tokenizer:
        return Tokenizer(vocabularies.llama3().backend, DATED, end="<|eot_id|>", pad="<|eot_id|>")

    _, source = saved(tmp_path / "model", dated)
    made = package.export(source, tmp_path / "out", CARD, form="ollama")
    assert "the date" in made.note
    assert "What differs: the date" in (tmp_path / "out" / "README.md").read_text()


@pytest.mark.parametrize(
    "template",
    [
        "{% for m in messages %}{{ m['content'] | upper }}{% endfor %}",
        "{{ messages[-1]['content'] }}",
        "{% for m in messages %}{{ loop.index }}: {{ m['role'] }} {{ m['content'] }}{% endfor %}",
        "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no') }}{% endif %}{{ messages[0]['content'] }}",
    ],
)
def test_a_template_that_does_more_is_refused(template: str, tmp_path: Path) -> None:
    def odd() -> Tokenizer:
        return Tokenizer(vocabularies.ours().backend, template)

    _, source = saved(tmp_path / "model", odd)
    with pytest.raises(Refused, match="--format gguf"):
        package.export(source, tmp_path / "out", CARD, form="ollama")
    assert not (tmp_path / "out").exists()


GO = """
package main

import ("encoding/json"; "os"; "text/template")

type message struct { Role, Content string }
type job struct { Template string; Messages []*message }

func main() {
    var jobs []job
    if err := json.NewDecoder(os.Stdin).Decode(&jobs); err != nil { panic(err) }
    out := json.NewEncoder(os.Stdout)
    for _, j := range jobs {
        system := ""
        for _, m := range j.Messages { if m.Role == "system" { system = m.Content } }
        f, err := os.CreateTemp("", "told"); if err != nil { panic(err) }
        t := template.Must(template.New("").Parse(j.Template))
        if err := t.Execute(f, map[string]any{"System": system, "Messages": j.Messages}); err != nil { panic(err) }
        told, err := os.ReadFile(f.Name()); if err != nil { panic(err) }
        os.Remove(f.Name())
        out.Encode(string(told))
    }
}
"""


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("go") is None, reason="Go is not installed")
def test_go_renders_it_as_jinja_does(tmp_path: Path) -> None:
    (tmp_path / "main.go").write_text(GO)
    odd = Tokenizer(
        vocabularies.ours().backend,
        "{{ '{{ \"\"\"begin}}' }}{% for m in messages %}{{ '{{' + m['role'] + '}}' }}{{ m['content'] }}\n{% endfor %}"
        "{% if add_generation_prompt %}{{ '{{assistant}}' }}{% endif %}",
    )
    jobs, expected = [], []
    for tokenizer in (*(vocabularies.ALL[name]() for name in vocabularies.ALL), odd):
        told = modelfile(tokenizer, weights="x", context=1, stops=[], sampling={}, adds_begin=False)
        template = told.split('"""')[1]
        for roles in TALKS:
            jobs.append({"Template": template, "Messages": talk(roles)})
            expected.append(tokenizer.render(talk(roles)))
        # A reply begun is gone on with.
        jobs.append({"Template": template, "Messages": talk(("u", "a"))})
        expected.append(tokenizer.render(talk(("u",))) + talk(("u", "a"))[1]["content"])
    done = subprocess.run(
        ["go", "run", str(tmp_path / "main.go")],
        input=json.dumps(jobs),
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    assert [json.loads(line) for line in done.stdout.splitlines()] == expected


def test_the_begin_token_is_written_once() -> None:
    tokenizer = vocabularies.llama3()
    begin = tokenizer.begin
    once = modelfile(tokenizer, weights="x", context=10**6, stops=["<|eot_id|>"], sampling={}, adds_begin=True)
    twice = modelfile(tokenizer, weights="x", context=10**6, stops=["<|eot_id|>"], sampling={}, adds_begin=False)
    assert begin not in once
    assert begin in twice
    assert "PARAMETER num_ctx 8192\n" in once
