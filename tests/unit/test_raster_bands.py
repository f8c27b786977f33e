import pytest

from clearscene.errors import BandError
from clearscene.raster.bands import _name_in, parse_bands


def test_parse_bands():
    assert parse_bands("nir=4, red=1") == {"nir": 4, "red": 1}
    assert parse_bands("R=3,g=2,b=1") == {"red": 3, "green": 2, "blue": 1}
    assert parse_bands("gray=2") == {"gray": 2}


@pytest.mark.parametrize("text", ["", "red", "red=", "red=0", "red=-1", "red=1.5", "rot=1", "alpha=4", "red=1,,blue=2"])
def test_parse_bands_refuses(text):
    with pytest.raises(BandError, match="does not name a band") as caught:
        parse_bands(text)
    assert "red=1,green=2,blue=3" in caught.value.hint


def test_parse_bands_refuses_a_name_twice():
    with pytest.raises(BandError, match="names red twice"):
        parse_bands("red=1,r=2")


@pytest.mark.parametrize(
    ("description", "name"),
    [
        ("red", "red"),
        ("Band 4 (Red)", "red"),
        ("BLUE_reflectance", "blue"),
        ("Red edge 1", "rededge"),
        ("rededge071", "rededge071"),
        ("B07 (rededge078)", "rededge078"),
        ("near-infrared", "nir"),
        ("NIR", "nir"),
        ("近红外波段", "nir"),
        ("红", "red"),
        ("g", "green"),
        ("Panchromatic", "pan"),
        ("SWIR2", "swir22"),
        ("Alpha", "alpha"),
        ("infrared", ""),
        ("red/nir ratio", ""),
        ("bluegreen", ""),
        ("Layer_1", ""),
        ("B4", ""),  # red on Landsat 8, near infrared on Landsat 7
        ("", ""),
    ],
)
def test_names_in_descriptions(description, name):
    assert _name_in(description) == name
