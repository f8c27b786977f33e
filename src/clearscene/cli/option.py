"""One option of the command line, in a panel of its command's help."""

import typer
from typer.models import OptionInfo

__all__ = ["option"]


def option(help_text: str, *flags: str, panel: str, show_default: str | bool = True) -> OptionInfo:
    """An option for `Annotated`.

    Args:
        help_text: What the help says of it.
        flags: Its names, where they do not follow from the parameter: a switch without a `--no-` twin, a short form.
        panel: Heading under which the help lists it.
        show_default: A text stands in the help for a default that varies.
    """
    made: OptionInfo = typer.Option(*flags, help=help_text, rich_help_panel=panel, show_default=show_default)
    return made
