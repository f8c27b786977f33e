"""A report as PDF, printed by headless Chromium, or by WeasyPrint where there is no Chromium."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from clearscene.atomic import replacing
from clearscene.errors import MissingExtraError, OutputError

__all__ = ["BROWSERS", "find_browser", "write_pdf"]

BROWSERS = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
    "msedge",
    "microsoft-edge",
)
FLAGS = (
    "--headless",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-extensions",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--no-pdf-header-footer",
)
TIMEOUT_S = 180.0


def find_browser() -> str | None:
    """Path of the first of `BROWSERS` on PATH, or None."""
    return next((path for name in BROWSERS if (path := shutil.which(name))), None)


def write_pdf(html_path: Path, pdf_path: Path, *, timeout_s: float = TIMEOUT_S) -> Path:
    """Print `html_path` to `pdf_path`, whole or not at all, and return `pdf_path`.

    Raises:
        MissingExtraError: Neither Chromium nor WeasyPrint is there.
        OutputError: Printing failed or took longer than `timeout_s` seconds.
    """
    browser = find_browser()
    with replacing(pdf_path) as part:
        if browser is not None:
            _print_with_browser(browser, html_path, part, timeout_s)
        else:
            _print_with_weasyprint(html_path, part)
        if not part.is_file() or part.read_bytes()[:5] != b"%PDF-":
            raise OutputError(f"Printing {html_path} left no PDF.", hint="Open the report and print it by hand.")
    return pdf_path


def _print_with_browser(browser: str, html_path: Path, pdf_path: Path, timeout_s: float) -> None:
    with tempfile.TemporaryDirectory(prefix="clearscene-pdf-", ignore_cleanup_errors=True) as profile:
        command = [browser, *FLAGS, f"--user-data-dir={profile}", f"--print-to-pdf={pdf_path.resolve()}"]
        if hasattr(os, "geteuid") and os.geteuid() == 0:
            command.append("--no-sandbox")  # Chromium refuses its sandbox to root
        command.append(html_path.resolve().as_uri())
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, check=False)
        except subprocess.TimeoutExpired as error:
            raise OutputError(
                f"{browser} did not print {html_path} within {timeout_s:g} s.",
                hint="Open the report and print it by hand.",
            ) from error
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise OutputError(f"{browser} could not print {html_path} (exit {done.returncode}): {last}")


def _print_with_weasyprint(html_path: Path, pdf_path: Path) -> None:
    try:
        import weasyprint  # heavy and optional
    except (ImportError, OSError) as error:  # OSError: its system libraries are missing
        raise MissingExtraError(
            f"No Chromium on PATH and no WeasyPrint to print {html_path} with ({error}).",
            hint='Install Chromium or Chrome, or run: pip install "clearscene[pdf]"',
        ) from error
    weasyprint.HTML(filename=str(html_path)).write_pdf(str(pdf_path))
