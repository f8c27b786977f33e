"""OmniCloudMask (DPIRD, MIT): two U-Nets in torch on red, green and NIR; weights are downloaded by its package.

It is given one tile of 1000 pixels at a time, which it normalizes by itself; tiles are blended by us.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clearscene.errors import MissingExtraError, ModelError
from clearscene.masking.augmentation import LookCount
from clearscene.masking.classes import IDS
from clearscene.masking.masker import Origin, Planes, Traits
from clearscene.masking.peers.missing import first_reason, require
from clearscene.raster.sensors.product import Kind

__all__ = ["OmniCloudMask", "load_omnicloudmask"]

NAME = "omnicloudmask"
BANDS = ("red", "green", "nir")
TILE_SIZE, OVERLAP = 1000, 304
SMALLEST_TILE = 32
"""Its networks take no less."""


@dataclass(frozen=True, eq=False)
class OmniCloudMask:
    """Its networks as a masker."""

    predict: Any
    networks: Sequence[Any]
    device: str
    traits: Traits
    lock: Any

    @property
    def looks(self) -> tuple[LookCount, ...]:
        """See `Masker`; its code has no such option."""
        return ()

    def probabilities(
        self,
        planes: Planes,
        valid: NDArray[np.bool_],
        *,
        kind: Kind,  # noqa: ARG002  # part of the protocol; it has one model for all
    ) -> NDArray[np.float32]:
        """See `Masker`."""
        pixels = np.stack([planes[name] for name in BANDS])
        missing = [(0, 0), *((0, max(0, SMALLEST_TILE - length)) for length in valid.shape)]
        padded = np.pad(pixels, missing, mode="edge") if any(after for _, after in missing) else pixels
        patch = min(TILE_SIZE, *padded.shape[1:])
        with self.lock:  # torch uses threads of its own
            found = self.predict(
                padded,
                patch_size=patch,
                patch_overlap=patch * 3 // 10,
                inference_device=self.device,
                export_confidence=True,
                no_data_value=0,
                apply_no_data_mask=False,
                custom_models=list(self.networks),
            )
        full = np.maximum(np.asarray(found, np.float32)[:, : valid.shape[0], : valid.shape[1]], 1e-6)
        return np.asarray(full / full.sum(axis=0), np.float32)


def load_omnicloudmask(*, device: str) -> OmniCloudMask:
    """Its newest networks, from its own store of weights or downloaded by its package.

    Raises:
        MissingExtraError: omnicloudmask is not installed.
        ModelError: The weights are not there and cannot be downloaded.
    """
    require("omnicloudmask", "torch", name=NAME, install="omnicloudmask")
    try:
        import torch  # optional, and slow to import

        from clearscene.models.torch_ready import mend_torchvision

        mend_torchvision()
        import omnicloudmask
    except (ImportError, RuntimeError, OSError) as error:  # a library that is not there, or does not fit the others
        raise MissingExtraError(
            f"--model {NAME}: its package cannot be loaded: {error}.",
            hint="pip install --upgrade omnicloudmask torch torchvision",
        ) from error
    where = "cuda" if device == "cuda" or (device == "auto" and torch.cuda.is_available()) else "cpu"
    link = "https://github.com/DPIRD-DMA/OmniCloudMask"
    traits = Traits(
        origins=(Origin(NAME, version(NAME), "MIT", f"PyTorch {where}", link),),
        bands=BANDS,
        tile_size=TILE_SIZE,
        network_size=TILE_SIZE,
        classes=frozenset(IDS),
        overlap=OVERLAP,
        pixel_range_m=(5.0, 50.0),
    )
    return OmniCloudMask(omnicloudmask.predict_from_array, _networks(where), where, traits, Lock())


def _networks(device: str) -> list[Any]:
    """The networks with their weights.

    Raises:
        ModelError: They cannot be had.
    """
    import torch
    from omnicloudmask.download_models import get_models
    from omnicloudmask.model_utils import load_model_from_weights

    try:
        described = get_models(force_download=False, model_dir=None, source="hugging_face")
    except Exception as error:  # whatever its download raises
        raise ModelError(
            f"The weights of omnicloudmask are not on this machine and cannot be downloaded: {first_reason(error)}",
            hint="Its package carries no weights. Run it once where the network is open, and copy its data folder.",
        ) from error
    return [
        load_model_from_weights(
            model_name=entry["timm_model_name"],
            weights_path=entry["Path"],
            model_library=entry["model_library"],
            device=torch.device(device),
            dtype=torch.float32,
        )
        for entry in described
    ]
