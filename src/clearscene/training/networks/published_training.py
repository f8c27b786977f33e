"""How the sources of the semantic networks train them. Nothing here needs torch."""

from clearscene.training.networks.cards import Training

__all__ = [
    "BENCHMARK_TRAINING",
    "CLOUDX_NET_TRAINING",
    "CLOUD_NET_TRAINING",
    "DEEPLAB_TRAINING",
    "OWN_TRAINING",
    "RS_NET_TRAINING",
    "SEGFORMER_TRAINING",
    "SKY_TRAINING",
    "UNET_PLUSPLUS_TRAINING",
    "UNET_TRAINING",
    "YOLO_TRAINING",
]

BENCHMARK_TRAINING = Training(
    input_size=256,
    loss="soft-jaccard",
    optimizer="adam",
    lr=1e-4,
    schedule="plateau",
    batch=16,
    epochs=300,
    details="SPARCS 300 epochs, Biome 100; plateau factor 0.7, patience 15, least rate 1e-8; stops after 25 epochs "
    "without a better validation loss; no augmentation; the paper's text says batches of 8 or fewer.",
)
"""Of all seven networks of the comparison but YOLOv8."""

UNET_TRAINING = Training(
    input_size=572,
    loss="cross-entropy",
    optimizer="sgd",
    lr=None,
    schedule="constant",
    batch=1,
    epochs=None,
    details="Momentum 0.99; pixels weighted by class and by how near two borders are; elastic deformations; the rate "
    "is not given.",
)
UNET_PLUSPLUS_TRAINING = Training(
    input_size=None,
    loss="bce-dice",
    optimizer="adam",
    lr=3e-4,
    schedule="constant",
    batch=None,
    epochs=None,
    details="Half of the binary cross-entropy and the Dice coefficient together, at each of the four answers; here at "
    "their mean. Stops early.",
)
RS_NET_TRAINING = Training(
    input_size=256,
    loss="bce",
    optimizer="adam-amsgrad",
    lr=1e-4,
    schedule="constant",
    batch=40,
    epochs=5,
    details="Squares of the 3 x 3 kernels weighted 1e-4; dropout 0.2; tuned on Biome to 21 to 117 epochs and rates of "
    "1.6e-4 to 9.7e-4 by set of bands. Flips were meant, but the released code threw them away.",
)
DEEPLAB_TRAINING = Training(
    input_size=513,
    loss="cross-entropy",
    optimizer="sgd",
    lr=7e-3,
    schedule="poly",
    batch=16,
    epochs=None,
    details="Momentum 0.9, rate falls with power 0.9 over 30,000 steps on PASCAL VOC; random scales and flips.",
)
CLOUD_NET_TRAINING = Training(
    input_size=192,
    loss="soft-jaccard",
    optimizer="adam",
    lr=1e-4,
    schedule="plateau",
    batch=12,
    epochs=2000,
    details="Plateau factor 0.7, patience 15; stops when the rate reaches 1e-8; chips of 384 reduced to 192 for "
    "training and read at 384 afterwards; flips, rotations of 4 to 20 degrees and zooms of 1.2 to 2.5, each with "
    "chance 0.5.",
)
CLOUDX_NET_TRAINING = Training(
    input_size=256,
    loss="soft-jaccard",
    optimizer="adam",
    lr=1e-4,
    schedule="constant",
    batch=2,
    epochs=70,
    details="Red, green and blue of 8 bits; truth from 0.3 on; 5 % for validation.",
)
YOLO_TRAINING = Training(
    input_size=256,
    loss="soft-jaccard",
    optimizer="sgd",
    lr=1e-2,
    schedule="constant",
    batch=16,
    epochs=300,
    details="The source trains instances (boxes, classes, masks) of clouds larger than 50 pixels with ultralytics' own "
    "losses, patience 50, mosaics and flips; here a loss of pixels trains the joined answer.",
)
SKY_TRAINING = Training(
    input_size=128,
    loss="dice",
    optimizer="adam",
    lr=1e-4,
    schedule="constant",
    batch=32,
    epochs=20,
    details="60/20/20 split with seed 42, no augmentation; two channels, sky and other, and the sigmoid of a sigmoid "
    "in the loss; here one logit, and its sigmoid once.",
)
SEGFORMER_TRAINING = Training(
    input_size=512,
    loss="cross-entropy",
    optimizer="adamw",
    lr=6e-5,
    schedule="poly",
    batch=16,
    epochs=None,
    details="Rate falls with power 1 over 160,000 steps on ADE20K; the head learns ten times faster; random scales, "
    "crops and flips.",
)
OWN_TRAINING = Training(
    input_size=256,
    loss="bce-dice",
    optimizer="adamw",
    lr=1e-3,
    schedule="cosine",
    batch=16,
    epochs=None,
    details="Our own: recipes/ holds the whole of it.",
)
