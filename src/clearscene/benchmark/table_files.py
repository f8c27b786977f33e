"""Tables as Markdown, CSV and LaTeX."""

import csv
import io
from collections.abc import Callable, Sequence
from pathlib import Path

from clearscene.atomic import output_error, replacing
from clearscene.benchmark.suite import key_of
from clearscene.benchmark.tables import Table

__all__ = ["to_csv", "to_latex", "to_markdown", "write_tables"]

DAGGER = "†"


def to_markdown(table: Table) -> str:
    """A table that can be read as it is; the best of a block in bold."""
    heads = ["Model", *table.heads]
    lines = [f"**{table.title}**", "", _joined(heads), _joined(["---", *["---:"] * len(table.heads)])]
    for block in table.blocks:
        if block.title:
            lines.append(_joined([f"**{block.title}**", *[""] * len(table.heads)]))
        for line in block.lines:
            cells = [f"**{text}**" if i in line.best else text for i, text in enumerate(line.cells)]
            lines.append(_joined([_escaped(line.name) + (DAGGER if line.is_elsewhere else ""), *cells]))
    notes = [f"{note}  " for note in table.notes]
    return "\n".join([*lines, *(["", *notes] if notes else [])]) + "\n"


def _joined(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("*", "\\*")


def to_csv(table: Table) -> str:
    """One line a row, with the title of its block; numbers as they are printed, empty where there is none."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["block", "model", *table.heads])
    for block in table.blocks:
        for line in block.lines:
            cells = ["" if text == "–" else text.replace(",", "") for text in line.cells]
            writer.writerow([block.title, line.name, *cells])
    return stream.getvalue()


def to_latex(table: Table) -> str:
    """A `table` for a document that loads booktabs; the best of a block in bold."""
    width = 1 + len(table.heads)
    lines = [
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{_tex(table.title)}.}}",
        rf"\label{{tab:{key_of(table.title)}}}",
        rf"\begin{{tabular}}{{l{'r' * len(table.heads)}}}",
        r"\toprule",
        " & ".join(_tex(head) for head in ("Model", *table.heads)) + r" \\",
    ]
    for block in table.blocks:
        lines.append(r"\midrule")
        if block.title:
            lines.append(rf"\multicolumn{{{width}}}{{l}}{{\textbf{{{_tex(block.title)}}}}} \\")
        for line in block.lines:
            cells = [rf"\textbf{{{_tex(text)}}}" if i in line.best else _tex(text) for i, text in enumerate(line.cells)]
            name = _tex(line.name + (DAGGER if line.is_elsewhere else ""))
            lines.append(" & ".join([name, *cells]) + r" \\")
    lines += [r"\bottomrule", r"\end{tabular}"]
    if table.notes:
        lines.append(rf"\par\smallskip\footnotesize {_tex('. '.join(table.notes))}.")
    return "\n".join([*lines, r"\end{table}"]) + "\n"


_TEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "–": "--", "≥": r"$\geq$", "×": r"$\times$",
    "†": r"$^\dagger$", "…": r"\dots{}",
}  # fmt: skip


def _tex(text: str) -> str:
    return "".join(_TEX.get(letter, letter) for letter in text)


FORMATS: dict[str, Callable[[Table], str]] = {".md": to_markdown, ".csv": to_csv, ".tex": to_latex}


def write_tables(tables: Sequence[Table], folder: Path) -> list[Path]:
    """Write every table in every format; returns the paths.

    Raises:
        OutputError: One cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise output_error(error, folder) from error
    written = []
    for table in tables:
        for ending, form in FORMATS.items():
            path = folder / f"{key_of(table.key)}{ending}"
            with replacing(path) as part:
                part.write_text(form(table), encoding="utf-8")
            written.append(path)
    return written
