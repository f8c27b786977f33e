"""U-Net++: the skips of U-Net filled with nodes of their own."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from clearscene.training.networks.conv_blocks import start, up_conv
from clearscene.training.networks.sizes import AnySize

__all__ = ["UNetPlusPlus", "build_unet_plusplus", "mean_answer"]

WIDTHS = (32, 64, 128, 256, 512)
BENCHMARK_DROPOUT = 0.5


def build_unet_plusplus(form: str, *, n_bands: int, n_classes: int) -> AnySize:
    """U-Net++ (Zhou, Siddiquee, Tajbakhsh, Liang, "UNet++", DLMIA 2018).

    `paper`: ReLU, and deep supervision in its accurate mode: the answer is the mean of the probabilities of all
    four nodes of the top row. `benchmark`: ELU, half of the features dropped after every convolution, the last node
    alone answers.
    """
    if form == "paper":
        net = UNetPlusPlus(n_bands, n_classes, is_deep=True)
    else:
        net = UNetPlusPlus(n_bands, n_classes, dropout=BENCHMARK_DROPOUT, is_elu=True)
    return AnySize(net, divisor=16)


class UNetPlusPlus(nn.Module):
    """Node (i, j) at depth i reads all nodes (i, 0..j-1) and the enlarged node (i + 1, j - 1).

    ::

        0,0 - 0,1 - 0,2 - 0,3 - 0,4
          1,0 - 1,1 - 1,2 - 1,3
            2,0 - 2,1 - 2,2
              3,0 - 3,1
                4,0
    """

    def __init__(
        self, n_bands: int, n_classes: int, *, dropout: float = 0.0, is_elu: bool = False, is_deep: bool = False
    ) -> None:
        super().__init__()
        self.nodes, self.ups = nn.ModuleDict(), nn.ModuleDict()
        depth = len(WIDTHS)
        for i, width in enumerate(WIDTHS):
            n_above = WIDTHS[i - 1] if i else n_bands
            self.nodes[f"{i}_0"] = _node(n_above, width, dropout, is_elu)
            for j in range(1, depth - i):
                self.ups[f"{i}_{j}"] = up_conv(WIDTHS[i + 1], width)
                self.nodes[f"{i}_{j}"] = _node((j + 1) * width, width, dropout, is_elu)
        answering = range(1, depth) if is_deep else (depth - 1,)
        self.heads = nn.ModuleDict({f"0_{j}": nn.Conv2d(WIDTHS[0], n_classes, 1) for j in answering})
        self.pool = nn.MaxPool2d(2)
        start(self, "he")

    def branches(self, image: Tensor) -> list[Tensor]:
        """Logits (n, class, h, w) of every node that answers, the shallowest first."""
        found: dict[str, Tensor] = {}
        for j in range(len(WIDTHS)):
            for i in range(len(WIDTHS) - j):
                if j:
                    left = [found[f"{i}_{k}"] for k in range(j)]
                    x = torch.cat([*left, self.ups[f"{i}_{j}"](found[f"{i + 1}_{j - 1}"])], dim=1)
                else:
                    x = self.pool(found[f"{i - 1}_0"]) if i else image
                found[f"{i}_{j}"] = self.nodes[f"{i}_{j}"](x)
        return [head(found[key]) for key, head in self.heads.items()]

    def forward(self, image: Tensor) -> Tensor:
        """(n, band, h, w) to logits (n, class, h, w); h and w are multiples of 16."""
        return mean_answer(self.branches(image))


def mean_answer(branches: list[Tensor]) -> Tensor:
    """Logits of the mean of the probabilities of several answers (n, class, h, w).

    Laws: one answer is returned as it is; equal answers give that answer, up to what softmax cannot tell apart.
    """
    if len(branches) == 1:
        return branches[0]
    together = torch.stack(branches)
    if together.shape[2] > 1:
        return torch.logsumexp(functional.log_softmax(together, dim=2), dim=0)
    yes, no = functional.logsigmoid(together), functional.logsigmoid(-together)
    return torch.logsumexp(yes, dim=0) - torch.logsumexp(no, dim=0)


def _node(n_in: int, n_out: int, dropout: float, is_elu: bool) -> nn.Sequential:
    layers: list[nn.Module] = []
    for n_from in (n_in, n_out):
        layers += [nn.Conv2d(n_from, n_out, 3, padding=1), nn.ELU() if is_elu else nn.ReLU(inplace=True)]
        layers += [nn.Dropout(dropout)] if dropout else []
    return nn.Sequential(*layers)
