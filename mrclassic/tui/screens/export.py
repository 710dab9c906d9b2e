"""Where to write a model, and in which form."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Label, Select

FORMS = (
    ("Hugging Face folder (transformers, vLLM)", "hf"),
    ("GGUF file (llama.cpp)", "gguf"),
    ("folder for Ollama", "ollama"),
)


class Export(ModalScreen[tuple[str, str] | None]):
    """Enter in the folder writes it, Escape does not; returns the form and the folder."""

    BINDINGS: ClassVar = [Binding("escape", "dismiss(None)", "Close", show=False)]

    def __init__(self, checkpoint: str) -> None:
        super().__init__()
        self._checkpoint = checkpoint

    def compose(self) -> ComposeResult:
        with Vertical(id="export") as box:
            box.border_title = "Export"
            box.border_subtitle = "Enter writes, Esc closes"
            yield Label(f"{self._checkpoint} is written into a folder that is new, or empty.", markup=False)
            yield Select(FORMS, value="hf", allow_blank=False, id="export--form")
            yield Input(str(Path.home() / self._checkpoint), id="export--folder")

    def on_mount(self) -> None:
        self.query_one(Input).focus()

    @on(Input.Submitted)
    def written(self, event: Input.Submitted) -> None:
        folder = event.value.strip()
        if not folder:
            self.notify("Name a folder first.", timeout=3)
            return
        form = self.query_one("#export--form", Select).value
        self.dismiss((str(form), str(Path(folder).expanduser())))
