"""The masker that the options name: shipped model, model folder, peer, or several of them."""

from collections.abc import Callable

from clearscene.errors import OptionError
from clearscene.masking.combine import Doubled, Ensemble, Halved
from clearscene.masking.masker import Masker, ModelMasker
from clearscene.masking.options import MaskOptions
from clearscene.models.model import Model
from clearscene.models.session import choose_device
from clearscene.models.zoo import find_model

__all__ = ["PEERS", "load_masker"]


def _ukis(n_bands: int) -> Callable[[MaskOptions], Masker]:
    def load(options: MaskOptions) -> Masker:
        from clearscene.masking.peers.ukis import load_ukis

        return load_ukis(n_bands, device=options.device, depth=options.tta)

    return load


def _s2cloudless(_: MaskOptions) -> Masker:
    from clearscene.masking.peers.s2cloudless import load_s2cloudless

    return load_s2cloudless()


def _omnicloudmask(options: MaskOptions) -> Masker:
    from clearscene.masking.peers.omnicloudmask import load_omnicloudmask

    return load_omnicloudmask(device=options.device)


PEERS: dict[str, Callable[[MaskOptions], Masker]] = {
    "ukis-4b": _ukis(4),
    "ukis-6b": _ukis(6),
    "s2cloudless": _s2cloudless,
    "omnicloudmask": _omnicloudmask,
}
"""Maskers of others by the name that --model takes."""

WITHOUT_LOOKS = ("s2cloudless", "omnicloudmask")


def load_masker(options: MaskOptions) -> Masker:
    """Load what the options name.

    Raises:
        ModelError: There is no such model, it is broken, or no cloud mask; or its weights cannot be had.
        MissingExtraError: A peer that is not installed, or a device that is not there.
        OptionError: Models of different tiles, or --tta with a peer that cannot look again.
    """
    choose_device(options.device)
    unable = [name for name in options.models if name in WITHOUT_LOOKS]
    if options.tta and unable:
        raise OptionError(f"--tta {options.tta} does not work with {' and '.join(unable)}.", hint="Leave out --tta.")
    members = tuple(_load(name, options) for name in options.models)
    masker = members[0] if len(members) == 1 else Ensemble(members)
    if options.fine:
        return Doubled(masker)
    return Halved(masker) if options.fast else masker


def _load(name: str, options: MaskOptions) -> Masker:
    if name in PEERS:
        return PEERS[name](options)
    folder = find_model(name, task="cloud_mask", others=tuple(PEERS)).folder
    return ModelMasker(Model.load(folder, device=options.device, threads=1), options.tta)
