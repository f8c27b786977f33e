"""Build a network from its section of the config, or from a checkpoint."""

from clearscene.training.networks.contract import InspectionNetwork
from clearscene.training.networks.spec import SLIM, NetworkSpec

__all__ = ["build_network"]


def build_network(spec: NetworkSpec) -> InspectionNetwork:
    """The network that a config names, with the weights that it names.

    Raises:
        TrainingError: A library has no such network, or the weights do not fit.
        MissingExtraError: The library is not installed.
    """
    if spec.kind == "two-head":
        from clearscene.training.networks.two_head import TwoHead

        return TwoHead(spec)
    if spec.kind == "mask":
        from clearscene.training.networks.mask import CloudMask

        return CloudMask(spec)
    if spec.kind == "semantic":
        from clearscene.training.networks.semantic import Semantic

        return Semantic(spec)
    if spec.kind == "quality" and spec.name == SLIM:
        from clearscene.training.networks.mask import SlimQuality

        return SlimQuality(spec)
    if spec.kind in ("fusion", "quality"):
        from clearscene.training.networks.fusion import FusionPair, QualityNetwork

        return FusionPair(spec) if spec.kind == "fusion" else QualityNetwork(spec)
    if spec.kind == "screening":
        from clearscene.training.networks.screening import Screening

        return Screening(spec)
    from clearscene.training.networks.segmentation import build_segmenter

    return build_segmenter(spec)
