"""Words, numbers, areas and times in the language of a report, written for people."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from clearscene.errors import OptionError
from clearscene.inspection.bilingual import Bilingual
from clearscene.inspection.taxonomy import BY_NAME
from clearscene.inspection.texts import LANGUAGES, TEXTS, WORDS

__all__ = ["Texts", "defect_title", "say", "say_percent", "word"]

NO_VALUE = "–"
NARROW_SPACE = "\u202f"  # between a number and its unit; does not break


@dataclass(frozen=True)
class Texts:
    """Words and numbers in one language.

    Raises:
        OptionError: The language is not one of `LANGUAGES`.
    """

    lang: str = "en"
    """`en` or `zh`."""

    def __post_init__(self) -> None:
        if self.lang not in LANGUAGES:
            raise OptionError(f"--lang {self.lang!r} is not available.", hint=f"Use {' or '.join(LANGUAGES)}.")

    def __call__(self, key: str, *values: object) -> str:
        """The text of `key` with `values` put in; the first value 1 chooses the English singular.

        Law: `Texts("en")("n_scenes", "1")` is "1 scene". Raises KeyError for an unknown key.
        """
        one, _, many = TEXTS[key][self._column].partition("|")
        text = many if many and str(values[0]) != "1" else one
        return text.format(*values)

    @property
    def _column(self) -> int:
        return LANGUAGES.index(self.lang)

    @property
    def html_lang(self) -> str:
        """Language tag for HTML."""
        return "zh-CN" if self.lang == "zh" else "en"

    def word(self, value: str) -> str:
        """The form for people of a value of the record; the value itself if there is none."""
        return WORDS[value.lower()][self._column] if value.lower() in WORDS else value

    def defect(self, name: str) -> str:
        """Title of a defect type; the name itself if the taxonomy has no such type."""
        found = BY_NAME.get(name)
        if found is None:
            return name
        return found.title_zh if self.lang == "zh" else found.title

    def of(self, text: Bilingual) -> str:
        """A text of the record in this language."""
        return text.zh if self.lang == "zh" else text.en

    def named(self, name: str, titles: Mapping[str, Bilingual]) -> str:
        """The title of a name, with a capital; the form for people of the name itself if it has no title."""
        title = self.of(titles[name]) if name in titles else self.word(name)
        return title[:1].upper() + title[1:]

    def parameter(self, name: str) -> str:
        """The name of a parameter of a rule or a model; those that are names in our code stay so."""
        flagged, _, kind = name.partition(" ")
        return self("flagged_type", self.defect(kind)) if flagged == "flagged" and kind in BY_NAME else self.word(name)

    @property
    def comma(self) -> str:
        """What stands between the words of a list."""
        return "、" if self.lang == "zh" else ", "

    @property
    def stop(self) -> str:
        """What ends a sentence."""
        return "。" if self.lang == "zh" else "."

    def join(self, words: list[str]) -> str:
        """Words as a list in a sentence."""
        return self.comma.join(words)

    def integer(self, value: float) -> str:
        """A whole number with thousands separators."""
        return f"{value:,.0f}"

    def number(self, value: float | None) -> str:
        """Three significant digits, thousands separators, never an exponent; all digits before the point."""
        if value is None or not math.isfinite(value):
            return NO_VALUE
        if value == 0:
            return "0"
        rounded = float(f"{abs(value):.3g}")  # 99.97 has three digits as 100
        places = max(0, 2 - math.floor(math.log10(rounded)))
        text = f"{value:,.{places}f}"
        return text.rstrip("0").rstrip(".") if places > 2 else text

    def score(self, value: float) -> str:
        """One decimal, rounded down, so that a score shown never passes a limit that it missed.

        Law: 59.96 is "59.9", 60 is "60.0", 99.99 is "99.9".
        """
        return f"{math.floor(value * 10 + 1e-6) / 10:.1f}"

    def penalty(self, value: float) -> str:
        """Up to two decimals; a penalty above zero is never "0"."""
        return "0" if value == 0 else f"{value:,.2f}".rstrip("0").rstrip(".") if value >= 0.005 else "<0.01"

    def percent(self, fraction: float) -> str:
        """A fraction as percent; what is above zero is never "0 %", what is below one never "100 %".

        Law: 0.000003 is "0.0003 %", 0.0312 is "3.1 %", 0.999996 is "99.9996 %".
        """
        space = "" if self.lang == "zh" else NARROW_SPACE
        return f"{_percent_digits(fraction)}{space}%"

    def area(self, square_meters: float | None, pixels: int | None = None) -> str:
        """Square meters below 1 ha, hectares below 1 square kilometer; pixels where meters are unknown."""
        if square_meters is None:
            return NO_VALUE if pixels is None else self._with_unit(self.integer(pixels), "unit_px")
        if square_meters < 1e4:
            return self._with_unit(self.number(square_meters), "unit_m2")
        if square_meters < 1e6:
            return self._with_unit(self.number(square_meters / 1e4), "unit_ha")
        return self._with_unit(self.number(square_meters / 1e6), "unit_km2")

    def length(self, meters: float | None, pixels: float | None = None) -> str:
        """Meters below 1 km, then kilometers; pixels where meters are unknown."""
        if meters is None:
            return NO_VALUE if pixels is None else self._with_unit(self.integer(pixels), "unit_px")
        if meters < 1000:
            return self._with_unit(self.number(meters), "unit_m")
        return self._with_unit(self.number(meters / 1000), "unit_km")

    def round_length(self, meters: float) -> str:
        """A round length, as on a scale bar: 50 m, 0.2 m, 2 km."""
        value, unit = (meters, "unit_m") if meters < 1000 else (meters / 1000, "unit_km")
        return self._with_unit(f"{value:g}", unit)

    def seconds(self, value: float) -> str:
        """Seconds below two minutes, to 0.01 s; then minutes and seconds, then hours and minutes."""
        if value < 119.5:
            digits = "<0.01" if 0 < value < 0.005 else self.number(round(value, 2))
            return self._with_unit(digits, "unit_s")
        whole = round(value)
        minutes, rest = divmod(whole, 60)
        if minutes < 60:
            return f"{self._with_unit(str(minutes), 'unit_min')} {self._with_unit(str(rest), 'unit_s')}"
        hours, minutes = divmod(minutes, 60)
        return f"{self._with_unit(str(hours), 'unit_h')} {self._with_unit(str(minutes), 'unit_min')}"

    def memory(self, megabytes: float | None) -> str:
        """Megabytes below 1000, then gigabytes; a dash where it was not measured."""
        if megabytes is None:
            return "–"
        value, unit = (megabytes, "MB") if megabytes < 1000 else (megabytes / 1000, "GB")
        return f"{self.number(value)}{NARROW_SPACE}{unit}"

    def moment(self, value: datetime) -> str:
        """Date and time to the minute, with the zone if the value has one."""
        zone = f" {value.tzname()}" if value.tzinfo else ""
        if self.lang == "zh":
            return f"{value.year}年{value.month}月{value.day}日 {value:%H:%M}{zone}"
        return f"{value.day} {MONTHS[value.month - 1]} {value:%Y, %H:%M}{zone}"

    def _with_unit(self, number: str, key: str) -> str:
        return f"{number}{NARROW_SPACE}{self(key)}"


def say(key: str, *values: object) -> Bilingual:
    """The text of `key` in both languages; values may be texts in both languages themselves.

    Law: `say("n_scenes", 1).en` is `Texts("en")("n_scenes", 1)`.
    """
    said = [
        texts(key, *(texts.of(value) if isinstance(value, Bilingual) else value for value in values))
        for texts in map(Texts, LANGUAGES)
    ]
    return Bilingual(en=said[0], zh=said[1])


def say_percent(fraction: float) -> Bilingual:
    """A fraction as percent with a plain space, which every terminal can print."""
    return Bilingual(en=Texts("en").percent(fraction).replace(NARROW_SPACE, " "), zh=Texts("zh").percent(fraction))


def defect_title(name: str) -> Bilingual:
    """Title of a defect type."""
    return Bilingual(en=BY_NAME[name].title, zh=BY_NAME[name].title_zh)


def word(value: str) -> Bilingual:
    """A value of the record, as it stands in English, and its Chinese form."""
    return Bilingual(en=value, zh=Texts("zh").word(value))


MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
"""Because strftime follows the locale."""


def _percent_digits(fraction: float) -> str:
    if not math.isfinite(fraction):
        return NO_VALUE
    if fraction in (0, 1):
        return "100" if fraction else "0"
    rest = min(fraction, abs(1 - fraction)) * 100  # digits follow the distance to 0 or 100 %
    if rest < 1e-7:
        return "<0.0000001" if fraction < 0.5 else ">99.9999999"
    places = max(0, 1 - math.floor(math.log10(rest)))
    text = f"{fraction * 100:,.{places}f}"
    return text.rstrip("0").rstrip(".") if places > 1 else text
