"""Landsat's MTL text: keys and values in named groups.

A key such as REFLECTANCE_MULT_BAND_4 stands in several groups with different values, so a value is
only ever asked for by group and key.
"""

from clearscene.errors import SceneError

__all__ = ["Groups", "parse_mtl"]

Groups = dict[str, dict[str, str]]
"""Values as text, by group and key."""


def parse_mtl(text: str, what: str) -> Groups:
    """Read an MTL file.

    Law: a value belongs to the innermost group around it; quotation marks are not part of it. What
    follows END does not count.

    Raises:
        SceneError: It is no MTL file, or is cut short.
    """
    groups: Groups = {}
    open_groups: list[str] = []
    for line in text.splitlines():
        key, equals, value = (part.strip() for part in line.partition("="))
        if key == "END" and not equals:
            break
        if key == "GROUP":
            open_groups.append(value)
            groups.setdefault(value, {})
        elif key == "END_GROUP":
            _leave(open_groups, value, what)
        elif equals and open_groups:
            groups[open_groups[-1]].setdefault(key, value.strip('"'))
    if not groups or open_groups:
        raise SceneError(
            f"{what} is cut short or no MTL file{f': {open_groups[-1]} does not end' if open_groups else ''}.",
            hint="Copy or download it again.",
        )
    return groups


def _leave(open_groups: list[str], name: str, what: str) -> None:
    if not open_groups or open_groups[-1] != name:
        raise SceneError(f"{what} ends the group {name}, which is not open.", hint="Copy or download it again.")
    open_groups.pop()
