"""`clearscene doctor`: what this installation can do, and what is wrong with it.

Imports of what may be missing or broken happen inside the probes: this is the command that must
still answer when an import fails.
"""

import importlib.metadata
import importlib.util
import json
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

__all__ = ["command", "diagnose", "warnings_of"]

PACKAGES = [
    "clearscene",
    "numpy",
    "rasterio",
    "onnxruntime",
    "onnxruntime-gpu",
    "onnxruntime-openvino",
    "openvino",
    "opencv-python-headless",
    "shapely",
    "pyogrio",
    "pyproj",
    "pydantic",
    "typer",
    "rich",
    "jinja2",
    "torch",
    "weasyprint",
]
DRIVERS = ("GTiff", "COG", "JP2OpenJPEG", "HFA", "VRT", "PNG", "JPEG", "GPKG", "ESRI Shapefile", "GeoJSON")
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")

Facts = dict[str, str | bool | float | list[str] | None]


def command(
    as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """Show what this installation can do."""
    report = diagnose()
    warnings = warnings_of(report)
    if as_json:
        typer.echo(json.dumps({**report, "warnings": warnings}, indent=2, ensure_ascii=False))
        return
    console = Console()
    for section, facts in report.items():
        table = Table(
            box=None, pad_edge=False, show_header=False, title=section, title_justify="left", title_style="bold"
        )
        for name, value in facts.items():
            table.add_row(name, _shown(value))
        console.print(table, "")
    for warning in warnings:
        typer.secho(f"warning: {warning}", fg="yellow", err=True)
    if not warnings:
        console.print("Nothing is wrong.")


def diagnose() -> dict[str, Facts]:
    """All facts by section; a probe that fails says why instead of its facts."""
    probes: dict[str, Callable[[], Facts]] = {
        "machine": _machine,
        "packages": _packages,
        "raster": _raster,
        "vector": _vector,
        "networks": _networks,
        "outputs": _outputs,
    }
    return {name: _safely(probe) for name, probe in probes.items()}


def warnings_of(report: dict[str, Facts]) -> list[str]:
    """What is wrong, and how to mend it, one sentence or two each."""
    found = [f"{section}: {facts['error']}" for section, facts in report.items() if facts.get("error")]
    packages, raster, outputs = report["packages"], report["raster"], report["outputs"]
    runtimes = [name for name in PACKAGES if name.startswith("onnxruntime") and packages.get(name)]
    if len(runtimes) > 1:
        keep = next((name for name in runtimes if name != "onnxruntime"), runtimes[0])
        found.append(
            f"{' and '.join(runtimes)} are installed together; they own the same module and break each other. "
            f"Mend it with: pip uninstall -y {' '.join(runtimes)} && pip install {keep}"
        )
    missing = [name for name in DRIVERS if raster.get(name) is False]
    if missing:
        found.append(f"GDAL lacks the drivers {', '.join(missing)}; files of these kinds cannot be used.")
    if outputs.get("temporary folder is writable") is False:
        found.append(f"{outputs.get('temporary folder')} cannot be written to; set TMPDIR to a folder that can.")
    return found


def _safely(probe: Callable[[], Facts]) -> Facts:
    try:
        return probe()
    except Exception as error:  # whatever is broken, the other sections are still wanted
        return {"error": f"{type(error).__name__}: {error}"}


def _machine() -> Facts:
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "cores": _usable_cores(),
        "memory GB": round(_memory_bytes() / 1e9, 1),
        "encoding": sys.getfilesystemencoding(),
    }


def _usable_cores() -> int:
    """Cores that this process may use, which can be fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _memory_bytes() -> float:
    """Physical memory; 0 where the system does not say."""
    names = getattr(os, "sysconf_names", {})
    if "SC_PHYS_PAGES" not in names:
        return 0.0
    return float(os.sysconf("SC_PHYS_PAGES")) * os.sysconf("SC_PAGE_SIZE")


def _packages() -> Facts:
    return {name: _version(name) for name in PACKAGES}


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _raster() -> Facts:
    import rasterio
    from rasterio.drivers import raster_driver_extensions
    from rasterio.env import Env

    with Env() as env:
        names = set(env.drivers()) | set(raster_driver_extensions().values())
    raster = [name for name in DRIVERS if name not in ("GPKG", "ESRI Shapefile", "GeoJSON")]
    versions: Facts = {"GDAL": rasterio.__gdal_version__, "PROJ of rasterio": rasterio.__proj_version__}
    return versions | {name: name in names for name in raster}


def _vector() -> Facts:
    import pyogrio
    import pyproj

    drivers = pyogrio.list_drivers()
    gdal = ".".join(str(part) for part in pyogrio.__gdal_version__)
    versions: Facts = {"GDAL of pyogrio": gdal, "PROJ of pyproj": pyproj.proj_version_str}
    return versions | {name: "w" in drivers.get(name, "") for name in ("GPKG", "ESRI Shapefile", "GeoJSON")}


def _networks() -> Facts:
    from onnxruntime import get_available_providers

    from clearscene.models.session import available_devices, choose_device
    from clearscene.models.zoo import available_models

    providers = list(get_available_providers())
    return {
        "ONNX Runtime providers": providers,
        "CUDA": "CUDAExecutionProvider" in providers,
        "OpenVINO": importlib.util.find_spec("openvino") is not None,
        "devices": [str(device) for device in available_devices()],
        "--device auto": str(choose_device()),
        "shipped models": [info.manifest.name for info in available_models()],
    }


def _outputs() -> Facts:
    folder = tempfile.gettempdir()
    browser = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    return {
        "temporary folder": folder,
        "temporary folder is writable": _is_writable(folder),
        "temporary folder free GB": round(shutil.disk_usage(folder).free / 1e9, 1),
        "browser for --pdf": browser,
        "weasyprint for --pdf": importlib.util.find_spec("weasyprint") is not None,
    }


def _is_writable(folder: str) -> bool:
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"clearscene")
    except OSError:
        return False
    return True


def _shown(value: str | bool | float | list[str] | None) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(value) or "none"
    return "-" if value is None else str(value)
