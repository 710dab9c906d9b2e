"""Published datasets, fetched from the Hugging Face hub when the owner asks: each at one commit, never a newer one.

The hub keeps some of them as Parquet only; these are written down as JSON lines, for which pyarrow is needed. Nothing
else here touches the network, and nothing is sent but the names of the files.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import cast

from mrclassic.errors import MrClassicError, UsageError

_SUBJECTS = (
    "algebra",
    "counting_and_probability",
    "geometry",
    "intermediate_algebra",
    "number_theory",
    "prealgebra",
    "precalculus",
)
_DOWNLOAD = ".download"
_PATIENCE = 10.0  # seconds
_PEOPLE = {"train": {2: 200, **dict.fromkeys(range(3, 8), 1000)}, "test": dict.fromkeys(range(2, 9), 100)}


@dataclass(frozen=True)
class Source:
    """Files of one repository at one commit: the name here (which says train or test) and the path there."""

    repository: str
    revision: str
    licence: str
    files: tuple[tuple[str, str], ...]

    @property
    def words(self) -> str:
        """Where it comes from, in a line."""
        return f"{self.repository} at {self.revision[:12]}, licence {self.licence}"


SOURCES: dict[str, tuple[Source, ...]] = {
    "gsm8k": (
        Source(
            "openai/gsm8k",
            "740312add88f781978c0658806c59bc2815b9866",
            "MIT",
            tuple((f"{split}.jsonl", f"main/{split}-00000-of-00001.parquet") for split in ("train", "test")),
        ),
    ),
    "math": (
        Source(
            "EleutherAI/hendrycks_math",
            "21a5633873b6a120296cce3e2df9d5550074f4a3",
            "MIT",
            tuple((f"train_{subject}.jsonl", f"{subject}/train-00000-of-00001.parquet") for subject in _SUBJECTS),
        ),
        Source(
            "HuggingFaceH4/MATH-500",
            "6e4ed1a2a79af7d8630a6b768ec859cb5af4d3be",
            "MIT (that of MATH and of PRM800K)",
            (("test.jsonl", "test.jsonl"),),
        ),
    ),
    "humaneval": (
        Source(
            "openai/openai_humaneval",
            "7dce6050a7d6d172f3cc5c32aa97f52fa1a2e544",
            "MIT",
            # All of it is a test split; under another name an eighth of it is held out and the rest can be practised.
            (("humaneval.jsonl", "openai_humaneval/test-00000-of-00001.parquet"),),
        ),
    ),
    "mbpp": (
        Source(
            "google-research-datasets/mbpp",
            "4bb6404fdc6cacfda99d4ac4205087b89d32030c",
            "CC BY 4.0",
            tuple(
                (f"{split}.jsonl", f"full/{split}-00000-of-00001.parquet") for split in ("train", "validation", "test")
            ),
        ),
    ),
    "triviaqa": (
        Source(
            "RUC-NLPIR/FlashRAG_datasets",
            "bcafb8dd07d453be3cbeeeb3f78be1841bddf92c",
            "Apache-2.0 (that of TriviaQA)",
            tuple((f"{split}.jsonl", f"triviaqa/{split}.jsonl") for split in ("train", "test")),
        ),
    ),
    "knights": (
        Source(
            "K-and-K/knights-and-knaves",
            "2f68547989981b1af37cb3dde5fdefa847aa8619",
            "MIT",
            tuple(
                (f"{split}_people{people}.jsonl", f"{split}/people{people}_num{count}.jsonl")
                for split, counts in _PEOPLE.items()
                for people, count in counts.items()
            ),
        ),
    ),
}


def fetch(name: str, into: Path, say: Callable[[str], None]) -> list[Path]:
    """Download the dataset of the task `name` into the folder `into`; the files."""
    if name not in SOURCES:
        raise UsageError(f"No published dataset is known for {name!r}; there is one for {', '.join(SOURCES)}.")
    sources = SOURCES[name]
    parquet = any(theirs.endswith(".parquet") for source in sources for _, theirs in source.files)
    if parquet and find_spec("pyarrow") is None:
        raise UsageError(
            f"The hub holds {name} as Parquet, and pyarrow, which reads that, is not installed: pip install pyarrow, "
            f"or name files of JSON lines that you have: mrclassic task add {name} FILE..."
        )
    found = []
    for source in sources:
        say(f"Fetching {source.words}.")
        for ours, theirs in source.files:
            found.append(into / ours)
            downloaded = _download(source, theirs, into / _DOWNLOAD)
            if theirs.endswith(".parquet"):
                _write_rows(downloaded, found[-1])
            else:
                downloaded.replace(found[-1])
    shutil.rmtree(into / _DOWNLOAD)
    return found


def _download(source: Source, path: str, folder: Path) -> Path:
    # Read when the library is imported: it writes only into `folder`, tells nobody, and draws no bars of its own.
    os.environ.update(
        HF_HOME=str(folder), HF_HUB_DISABLE_XET="1", HF_HUB_DISABLE_TELEMETRY="1", HF_HUB_DISABLE_PROGRESS_BARS="1"
    )
    from huggingface_hub import get_hf_file_metadata, hf_hub_download, hf_hub_url
    from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError

    # Its releases use different HTTP libraries; of whichever it is, this is the error that all others are.
    http_error = cast(type[Exception], HfHubHTTPError.__bases__[0])
    try:
        # Asked first because a download tries again and again before it says that there is no network.
        url = hf_hub_url(source.repository, path, repo_type="dataset", revision=source.revision)
        get_hf_file_metadata(url, token=False, timeout=_PATIENCE)
        return Path(
            hf_hub_download(
                source.repository, path, repo_type="dataset", revision=source.revision, local_dir=folder, token=False
            )
        )
    except (OSError, EntryNotFoundError, http_error) as error:
        status = _status(error)
        why = f"it answered {status}" if status else "it could not be reached"
        raise MrClassicError(
            f"Cannot fetch {path} of {source.words} from the Hugging Face hub: {why}; "
            "try again later, or name files that you have: mrclassic task add NAME FILE..."
        ) from error


def _status(error: BaseException | None) -> int | None:
    """What the server answered, if it did: the library wraps such errors in others."""
    while error is not None:
        if status := getattr(getattr(error, "response", None), "status_code", None):
            return int(status)
        error = error.__cause__ or error.__context__
    return None


def _write_rows(parquet: Path, to: Path) -> None:
    table = import_module("pyarrow.parquet").read_table(parquet)
    with to.open("w", encoding="utf-8") as file:
        for row in table.to_pylist():
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
