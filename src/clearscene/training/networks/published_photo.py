"""The networks on trunks that were made for photos. Nothing here needs torch."""

from clearscene.training.networks.cards import NetworkCard
from clearscene.training.networks.published_cloud import COMPARISON
from clearscene.training.networks.published_training import (
    BENCHMARK_TRAINING,
    DEEPLAB_TRAINING,
    OWN_TRAINING,
    SEGFORMER_TRAINING,
    SKY_TRAINING,
    YOLO_TRAINING,
)

__all__ = ["DEEPLABS", "OWN", "SEGFORMERS", "SKY_NETS", "YOLOS"]

BOTH = ("paper", "benchmark")
YOLO_FORMS = ("paper", "benchmark", "semantic")
SKY = "L. Touzari, Sky Segmentation, 2023"
XIE = 'E. Xie, W. Wang, Z. Yu, A. Anandkumar, J. M. Alvarez, P. Luo, "SegFormer", NeurIPS 2021'
ULTRALYTICS = "G. Jocher, A. Chaurasia, J. Qiu, Ultralytics YOLOv8, 2023 (yolov8n-seg)"

DEEPLABS = (
    NetworkCard(
        name="deeplabv3plus",
        form="paper",
        forms=BOTH,
        title="DeepLabV3+",
        bands=3,
        source='L.-C. Chen, Y. Zhu, G. Papandreou, F. Schroff, H. Adam, "Encoder-Decoder with Atrous Separable '
        'Convolution", ECCV 2018',
        training=DEEPLAB_TRAINING,
        parameters={("paper", 3): 45_779_249, ("paper", 4): 45_782_385},
        gflop_per_mpx=434.9,
        note="ResNet-101 at stride 16, one of the paper's two trunks; the other is an Xception.",
    ),
    NetworkCard(
        name="deeplabv3plus",
        form="benchmark",
        forms=BOTH,
        title="DeepLabV3+",
        bands=3,
        source=f"{COMPARISON}; example of the Keras documentation",
        training=BENCHMARK_TRAINING,
        parameters={("benchmark", 3): 11_852_353, ("benchmark", 4): 11_855_489},
        published=frozenset({("benchmark", 3)}),
        gflop_per_mpx=301.1,
        note="ResNet-50 cut inside its last block at stride 16, ordinary convolutions, no dilation in the trunk. The "
        "comparison started it from ImageNet and fed it 0 to 1 where those weights want means taken off.",
    ),
)
YOLOS = (
    NetworkCard(
        name="yolov8-seg",
        form="paper",
        forms=YOLO_FORMS,
        title="YOLOv8-seg",
        bands=3,
        source=ULTRALYTICS,
        training=YOLO_TRAINING,
        parameters={("paper", 3): 3_274_915, ("paper", 4): 3_275_059},
        gflop_per_mpx=28.1,
        note="Its instances are joined: a pixel is cloud if it lies in any of the 100 surest. A loss of pixels reaches "
        "boxes, classes and masks through the join.",
        extra="yolo",
    ),
    NetworkCard(
        name="yolov8-seg",
        form="benchmark",
        forms=YOLO_FORMS,
        title="YOLOv8-seg",
        bands=3,
        source=f"{ULTRALYTICS}, args.yaml of the comparison",
        training=YOLO_TRAINING,
        parameters={("benchmark", 3): 3_274_915, ("benchmark", 4): 3_275_059},
        gflop_per_mpx=28.1,
        note="The network of the form paper. The comparison's own code for the join was not found.",
        extra="yolo",
    ),
    NetworkCard(
        name="yolov8-seg",
        form="semantic",
        forms=YOLO_FORMS,
        title="YOLOv8-seg",
        bands=3,
        source=f"{ULTRALYTICS}; head of our own",
        training=BENCHMARK_TRAINING,
        parameters={("semantic", 3): 2_522_001, ("semantic", 4): 2_522_145},
        gflop_per_mpx=20.5,
        note="Boxes and classes taken off; a 1 x 1 convolution reads prototypes and mask coefficients at each pixel.",
        extra="yolo",
    ),
)
SKY_NETS = (
    NetworkCard(
        name="deeplabv3",
        form="paper",
        title="DeepLabV3",
        bands=3,
        source=f"L.-C. Chen, G. Papandreou, F. Schroff, H. Adam, arXiv 1706.05587, 2017; training: {SKY}",
        training=SKY_TRAINING,
        parameters={("paper", 3): 39_690_433, ("paper", 4): 39_693_569},
        gflop_per_mpx=1247.9,
        note="ResNet-50 at stride 8 with the head of torchvision; the helper answer of its training is left out.",
    ),
    NetworkCard(
        name="unet-resnet50",
        form="paper",
        title="U-Net on ResNet-50",
        bands=3,
        source=f"segmentation-models-pytorch; {SKY}",
        training=SKY_TRAINING,
        parameters={("paper", 3): 32_576_209, ("paper", 4): 32_579_345},
        gflop_per_mpx=324.5,
        note="32,521,105 of them learn, as its library counts.",
    ),
)
COUNTS = {
    0: (3_714_913, 3_716_481, 59.2),
    1: (13_678_017, 13_681_153, 116.4),
    2: (27_348_929, 27_352_065, 461.3),
    3: (47_224_769, 47_227_905, 588.1),
    4: (63_995_329, 63_998_465, 714.8),
    5: (84_595_649, 84_598_785, 836.5),
}
"""Parameters with three and four bands, GFLOP/Mpx."""
SEGFORMERS = tuple(
    NetworkCard(
        name=f"segformer-b{number}",
        form="paper",
        title=f"SegFormer-B{number}",
        bands=3,
        source=XIE,
        training=SEGFORMER_TRAINING,
        parameters={("paper", 3): with_three, ("paper", 4): with_four},
        gflop_per_mpx=work,
    )
    for number, (with_three, with_four, work) in COUNTS.items()
)
OWN = (
    NetworkCard(
        name="two-head",
        form="paper",
        title="Two-head network",
        bands=3,
        source="clearscene: EfficientNet-Lite0 (M. Tan, Q. V. Le, 2019 and 2020) with a slim decoder",
        training=OWN_TRAINING,
        parameters={("paper", 3): 3_051_873, ("paper", 4): 3_052_161},
        gflop_per_mpx=15.7,
        note="Encoder and decoder of the inspection network; its screening head is left out, for no loss of pixels "
        "reaches it.",
    ),
)
