"""Write docs/reference/cli.md: every command with its arguments, options and defaults.

    python docs/make_cli_reference.py           # write
    python docs/make_cli_reference.py --check   # exit with 1 if the page is not current

Read from the commands themselves, not from printed help, whose form changes with the version of typer.
"""

import argparse
import inspect
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import typer

from clearscene.cli.main import COMMANDS, build_app

PAGE = Path(__file__).parent / "reference" / "cli.md"

HEAD = """# Command line

<!-- Written by docs/make_cli_reference.py: change the commands, not this page. -->

| exit code | means |
|---|---|
| 0 | done |
| 1 | done, and a score lies under `--fail-under` |
| 2 | an option is wrong, a scene failed, or a result cannot be written |
| 130 | interrupted with Ctrl-C |

Results go to stdout; progress, warnings and errors (`error:`, then `hint:`) go to stderr. Every command has `--help`;
`clearscene --version` prints the version.
"""

KINDS = {int: "number", float: "number", str: "text", Path: "path"}
OTHERS = "Options"
"""Panel of the options that name none."""


def main() -> None:
    """Write the page, or compare it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="only tell whether the page is current")
    is_check = parser.parse_args().check
    text = page()
    if not is_check:
        PAGE.write_text(text, encoding="utf-8")
    elif PAGE.read_text(encoding="utf-8") != text:
        sys.exit(f"{PAGE.name} is not current: run python docs/{Path(__file__).name}")


def page() -> str:
    """The whole page."""
    return "\n".join([HEAD, *(_section(words, command) for words, command in commands())])


def commands() -> Iterator[tuple[str, Any]]:
    """Every command that can be typed, as its words and typer's record of it; subcommands in place of their group."""
    for name in COMMANDS:
        command: Any = typer.main.get_command(build_app(name))
        command = command.commands[name]
        inner = getattr(command, "commands", None)
        if not inner:
            yield f"clearscene {name}", command
        for word, subcommand in (inner or {}).items():
            is_default = word == getattr(command, "default_command", None)
            yield f"clearscene {name}" if is_default else f"clearscene {name} {word}", subcommand


def options_of(command: Any) -> set[str]:
    """Everything with a dash that a command takes."""
    return {"--help", *(o for p in command.params for o in (*p.opts, *p.secondary_opts) if o.startswith("-"))}


def _section(words: str, command: Any) -> str:
    hints = get_type_hints(inspect.unwrap(command.callback))
    arguments = [p for p in command.params if not p.opts[0].startswith("-")]
    options = [p for p in command.params if p.opts[0].startswith("-") and not p.hidden and p.name in hints]
    usage = " ".join([words, *map(_placeholder, arguments), *(["[OPTIONS]"] if options else [])])
    parts = [f"## {words}\n", f"```\n{usage}\n```\n", f"{inspect.cleandoc(command.help or '')}\n"]
    if arguments:
        rows = [f"| `{_placeholder(p)}` | {_cell(p.help)} |" for p in arguments]
        parts.append("\n".join(["| argument | |", "|---|---|", *rows, ""]))
    for panel in dict.fromkeys(p.rich_help_panel or OTHERS for p in options):
        rows = [_row(p, hints[p.name]) for p in options if (p.rich_help_panel or OTHERS) == panel]
        parts.append("\n".join([f"| {panel} | value | default | |", "|---|---|---|---|", *rows, ""]))
    return "\n".join(parts)


def _placeholder(argument: Any) -> str:
    many = "..." if argument.nargs == -1 else ""
    name = str(argument.metavar or argument.name.upper())
    name = name if name.endswith(many) else name + many
    return name if argument.required else f"[{name}]"


def _row(option: Any, hint: Any) -> str:
    names = ", ".join(f"`{name}`" for name in (*option.opts, *option.secondary_opts))
    return f"| {names} | {_kind(hint)} | {_default(option)} | {_cell(option.help)} |"


def _cell(text: str | None) -> str:
    """Text that fits into a cell of a table."""
    return " ".join((text or "").split()).replace("|", "\\|")


def _kind(hint: Any) -> str:
    """What to write behind an option; nothing for a switch."""
    if get_origin(hint) in (Union, types.UnionType):
        hint = next(part for part in get_args(hint) if part is not type(None))
    if get_origin(hint) is list:
        return f"{KINDS.get(get_args(hint)[0], '')}, repeatable"
    if get_origin(hint) is Literal:
        return ", ".join(f"`{choice}`" for choice in get_args(hint))
    return KINDS.get(hint, "")


def _default(option: Any) -> str:
    """The default as typed; empty where there is none. A text in `show_default` stands for one that varies."""
    if isinstance(option.show_default, str):
        return str(option.show_default)
    if option.required:
        return "required"
    if isinstance(option.default, bool):
        return f"`{option.opts[0]}`" if option.default and option.secondary_opts else ""
    return "" if option.default in (None, "") else f"`{option.default}`"


if __name__ == "__main__":
    main()
