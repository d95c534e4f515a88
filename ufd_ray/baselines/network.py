"""What the networks have in common: a backbone, and one last layer that stands apart from it."""

from __future__ import annotations

from torch import Tensor, nn

HEAD_DEVIATION = 0.02
"""Standard deviation that the weights of a new last layer are drawn with (Wang et al. 2020)."""


class BackboneAndHead(nn.Module):
    """A network whose last layer can be taken off.

    Args:
        backbone: inputs → features. Pretrained weights are loaded into it.
        head: features → outputs.
    """

    def __init__(self, backbone: nn.Module, head: nn.Module) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = head

    def forward(self, inputs: Tensor) -> Tensor:
        """Inputs → outputs."""
        outputs: Tensor = self.head(self.backbone(inputs))
        return outputs


def new_head(dim: int) -> nn.Linear:
    """A linear layer from `dim` features to one logit: weights from N(0, .02), the bias 0."""
    head = nn.Linear(dim, 1)
    nn.init.normal_(head.weight, std=HEAD_DEVIATION)
    nn.init.zeros_(head.bias)
    return head
