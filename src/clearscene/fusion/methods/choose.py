"""Methods by the name that --method takes."""

from typing import Literal, get_args

from clearscene.fusion.methods import best, first, geomedian, learned, mean, median, medoid
from clearscene.fusion.methods.method import Combine

__all__ = ["METHODS", "METHOD_NAMES", "Method"]

Method = Literal["learned", "mean", "median", "medoid", "geomedian", "best", "first"]
METHOD_NAMES: tuple[Method, ...] = get_args(Method)

METHODS: dict[Method, Combine] = {
    "learned": learned.combine,
    "mean": mean.combine,
    "median": median.combine,
    "medoid": medoid.combine,
    "geomedian": geomedian.combine,
    "best": best.combine,
    "first": first.combine,
}
