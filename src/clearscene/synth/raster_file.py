"""Rasters of a generated scene: an uncompressed canvas to draw on, and the COG it becomes."""

from pathlib import Path

import rasterio
import rasterio.shutil
from rasterio.io import DatasetWriter

from clearscene.grid import IMAGE_TRANSFORM, Grid
from clearscene.raster.gdal import no_place_needed

__all__ = ["canvas", "finish"]


def canvas(path: Path, grid: Grid, *, n_bands: int, dtype: str) -> DatasetWriter:
    """A new tiled raster without compression, to be written and read again in windows."""
    is_placed = grid.crs is not None or grid.transform != IMAGE_TRANSFORM
    with no_place_needed():
        raster: DatasetWriter = rasterio.open(
            path,
            "w+",
            driver="GTiff",
            height=grid.height,
            width=grid.width,
            count=n_bands,
            dtype=dtype,
            **({"crs": grid.crs, "transform": grid.transform} if is_placed else {}),
            tiled=True,
            blockxsize=512,
            blockysize=512,
            interleave="pixel",
            photometric="RGB" if n_bands == 3 else "MINISBLACK",
            BIGTIFF="IF_SAFER",
        )
    return raster


def finish(draft: Path, out: Path, *, resampling: str = "average") -> None:
    """Copy a canvas to a deflate-compressed COG with overviews; `out` appears in one step."""
    done = draft.with_name("done.tif")
    with no_place_needed():
        rasterio.shutil.copy(
            draft,
            done,
            driver="COG",
            COMPRESS="DEFLATE",
            LEVEL="4",
            PREDICTOR="YES",
            BLOCKSIZE="512",
            OVERVIEW_RESAMPLING=resampling.upper(),
            NUM_THREADS="ALL_CPUS",
            BIGTIFF="IF_SAFER",
        )
    done.replace(out)
