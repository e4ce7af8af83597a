"""What prose points to is there: documents, files and modules of this repository, tables and sections of the paper."""

from __future__ import annotations

import ast
import io
import json
import re
import subprocess
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

from cranpm.training.recipes.ablations import ABLATIONS

ROOT = Path(__file__).resolve().parents[1]
TEXT = (".py", ".md", ".ipynb", ".yaml", ".yml", ".toml", ".html", ".css", ".js", ".cfg", ".in")
DOCUMENT = re.compile(r"[\w./-]*\w\.md\b")
CODE = re.compile(r"(?<![\w#.-])([A-Z]\d{1,2})(?![\w.-]*\w)")
NAMED = re.compile(
    r"(Tables?|Algorithms?|[Ss]ections?|Figures?|Fig\.|language model)\s+(\w+(, | and | to |-))*$"
)
"""What stands before a number of the paper's, or before a name."""
PLACEHOLDERS = {"FILE.md", "docs/nowhere.md"}
"""Of a help text; of the test that looks for advice in vain."""
KNOWN_CODES = {
    *ABLATIONS,
    "E0",  # the climb that costs one alpha (eq. 2)
    "S3",  # storage
    "R9",  # an ablation that there is not, in a test
}
FILE = re.compile(r"`([\w./-]+/[\w.-]+\.(?:py|md|yaml|json|toml|ipynb|svg|png))`")


def _tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("needs a git checkout: what belongs to the repository is what git tracks")
    return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def _texts() -> list[Path]:
    return [p for p in _tracked() if p.suffix in TEXT or p.name in ("Makefile", ".importlinter")]


def prose_of_python(source: str) -> Iterator[tuple[int, str]]:
    """Line numbers and texts of comments and docstrings."""
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string
    for node in ast.walk(ast.parse(source)):
        if (
            isinstance(node, ast.Expr)
            and isinstance(node.value, ast.Constant)
            and isinstance(node.value.value, str)
        ):
            for offset, line in enumerate(node.value.value.splitlines()):
                yield node.lineno + offset, line


def prose(path: Path) -> Iterator[tuple[int, str]]:
    """Line numbers (cells of a notebook) and texts that people read."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        yield from prose_of_python(text)
    elif path.suffix == ".ipynb":
        for number, cell in enumerate(json.loads(text)["cells"]):
            if cell["cell_type"] == "markdown":
                yield number, "".join(cell["source"])
    elif path.suffix == ".md":
        yield from enumerate(text.splitlines(), start=1)


def unknown_documents(text: str, names: set[str]) -> list[str]:
    """Names ending in .md that no document of the repository has (the end of its path counts)."""
    found = []
    for name in DOCUMENT.findall(text):
        if name in PLACEHOLDERS:
            continue
        plain = re.sub(r"^(\.{1,2}/)+", "", name).lstrip("/")
        if not any(known == plain or known.endswith("/" + plain) for known in names):
            found.append(name)
    return found


def unknown_codes(text: str) -> list[str]:
    """Codes such as a letter and a number that stand for something only their author knows."""
    return [
        match[1]
        for match in CODE.finditer(text)
        if match[1] not in KNOWN_CODES and not NAMED.search(text[: match.start()])
    ]


def test_every_document_that_is_named_exists():
    names = {p.relative_to(ROOT).as_posix() for p in _tracked() if p.suffix == ".md"}
    missing = [
        f"{path.relative_to(ROOT)}:{number}: {name}"
        for path in _texts()
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if path != Path(__file__)
        for name in unknown_documents(line, names)
    ]
    assert not missing, "\n".join(missing)


def test_prose_has_no_codes_of_plans_that_are_not_here():
    odd = [
        f"{path.relative_to(ROOT)}:{number}: {code}"
        for path in _texts()
        if path != Path(__file__)
        for number, line in prose(path)
        for code in unknown_codes(line)
    ]
    assert not odd, "\n".join(odd)


def test_files_named_in_documents_exist():
    """ARCHITECTURE.md leaves out ``cranpm/``; documents in docs/ may count from there."""
    missing = []
    for path in _texts():
        if path.suffix != ".md" or path.name == "CHANGELOG.md":  # the log tells of files that were
            continue
        for name in FILE.findall(path.read_text(encoding="utf-8")):
            if not any((base / name).exists() for base in (ROOT, ROOT / "cranpm", path.parent)):
                missing.append(f"{path.relative_to(ROOT)}: {name}")
    assert not missing, "\n".join(missing)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("(model.md 6: 2017-2020)", ["model.md"]),
        ("see docs/data.md and data.md", []),
        ("see docs/results/data.md", ["docs/results/data.md"]),
        ("../README.md", []),
    ],
)
def test_a_document_that_is_not_there_is_found(text, found):
    assert unknown_documents(text, {"README.md", "docs/data.md"}) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("One trainer per folder (T7).", ["T7"]),
        ("Stops and kills (T1, T3), one trainer a folder", ["T1", "T3"]),
        ("D2: a file told in another way", ["D2"]),
        ("never half of it (reliability D4)", ["D4"]),
        ("Table S1 for layers, Table 3 for ablations R1-R8", []),
        ("Tables S1 and S3, section S2, Algorithm S1", []),
        ("on an H200, 0.25 degrees, ERA5, #C0FFEE, 10 m", []),
    ],
)
def test_a_code_without_a_document_is_found(text, found):
    assert unknown_codes(text) == found
