import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from rasterio.windows import Window

from clearscene.raster.scene import _blocks, _name_of

sides = st.integers(1, 90)


@given(row=sides, col=sides, height=sides, width=sides, block=st.tuples(sides, sides), shrink=st.integers(1, 8))
def test_parts_of_a_window_cover_it_once(row, col, height, width, block, shrink):
    window = Window(col, row, width, height)
    shape = (-(-height // shrink), -(-width // shrink))
    count = np.zeros(shape, int)
    for part, place in _blocks(window, shape, block):
        count[place] += 1
        assert row <= part.row_off < part.row_off + part.height <= row + height
        assert abs((part.row_off - row) * shape[0] / height - place[0].start) <= 0.5 + 1e-9
        if shrink == 1:  # no part crosses the edge of a block
            assert part.row_off // block[0] == (part.row_off + part.height - 1) // block[0]
            assert part.col_off // block[1] == (part.col_off + part.width - 1) // block[1]
    assert (count == 1).all()


def test_names_fit_a_folder():
    assert _name_of("/data/正射 影像.v2.tif") == "正射 影像.v2"
    assert _name_of("https://example.org/a/b.tif?token=x/y.z") == "b"
    assert _name_of("/vsizip/a.zip/in/c.tif") == "c"
    assert _name_of('NETCDF:"d.nc":red') == "NETCDF__d"
