"""What the reader notes about a scene, in both languages.

The reader writes English sentences, because it lies below the words of reports. Here stands the
Chinese of each; `{0}` is what a sentence fills in. A test keeps the two lists together.
"""

import re

from clearscene.inspection.bilingual import Bilingual

__all__ = ["NOTES", "note"]

NOTES: tuple[tuple[str, str], ...] = (
    ("The scene has coordinates but no CRS.", "影像有坐标，但没有坐标系。"),
    (
        "The scene is not georeferenced; coordinates are pixels and areas in square meters are not given.",
        "影像没有地理参考；坐标以像素计，不给出平方米面积。",
    ),
    (
        "The transform {0} is unusable; the scene is not georeferenced.",
        "坐标变换 {0} 无法使用；影像按无地理参考处理。",
    ),
    (
        "The scene has only rational polynomials (RPC), no map coordinates; orthorectify it to get them.",
        "影像只有有理多项式系数（RPC），没有地图坐标；正射校正后方可获得。",
    ),
    (
        "The scene is placed by {0} ground control points, which lie on no transform at all; "
        "it is taken as not georeferenced. Warp it first, with gdalwarp.",
        "影像由 {0} 个地面控制点定位，但无法拟合出坐标变换；按无地理参考处理。请先用 gdalwarp 纠正。",
    ),
    (
        "The scene is placed by {0} ground control points, which lie up to {1} px off; "
        "it is taken as not georeferenced. Warp it first, with gdalwarp.",
        "影像由 {0} 个地面控制点定位，最大偏差 {1} 像素；按无地理参考处理。请先用 gdalwarp 纠正。",
    ),
    (
        "The scene is placed by {0} ground control points; the fitted transform is at most {1} px off at one of them.",
        "影像由 {0} 个地面控制点定位；拟合变换在控制点处的最大偏差为 {1} 像素。",
    ),
    (
        "The CRS is left out: it does not fit the coordinates, whose middle is {0}, {1}.",
        "坐标系未采用：与影像坐标不符（中心为 {0}，{1}）。",
    ),
    (
        "The CRS is left out: it cannot be brought to longitude and latitude ({0}).",
        "坐标系未采用：无法换算为经纬度（{0}）。",
    ),
    (
        "The bands have no names; {0}, {1} and {2} are taken as red, green and blue.",
        "波段没有名称；第 {0}、{1}、{2} 波段依次作为红、绿、蓝。",
    ),
    ("The file holds {0} rasters; only the first is read.", "文件含 {0} 个栅格；只读取第一个。"),
)
"""English, as the reader writes it, and Chinese."""


def note(text: str) -> Bilingual:
    """A note of the reader in both languages; one that is not listed stands in English in both.

    Law: the English is `text`, whatever it is.
    """
    for english, chinese in NOTES:
        found = re.fullmatch(re.sub(r"\\\{\d\\\}", "(.+)", re.escape(english)), text)
        if found:
            return Bilingual(en=text, zh=chinese.format(*found.groups()))
    return Bilingual(en=text, zh=text)
