"""Where a training runs: device, precision, threads, and the processes that share it."""

import os
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from typing import Self

import torch
from torch import distributed

from clearscene.errors import TrainingError
from clearscene.training.config import RunConfig

__all__ = ["Arithmetic", "Team", "choose_device"]

PATIENCE = timedelta(hours=3)
"""How long the others wait for the first process, which alone validates."""


def choose_device(name: str, *, local_rank: int = 0) -> torch.device:
    """The device of a name; `auto` is CUDA where there is one, and each process of a machine takes its own.

    Raises:
        TrainingError: There is no such device.
    """
    has_cuda = torch.cuda.is_available()
    if name == "auto":
        name = "cuda" if has_cuda else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise TrainingError(f"run.device {name!r} is no device.", hint="Use auto, cpu, cuda or cuda:N.") from error
    if device.type == "cuda":
        device = torch.device("cuda", local_rank if device.index is None else device.index)
        if not has_cuda or (device.index or 0) >= torch.cuda.device_count():
            n = torch.cuda.device_count() if has_cuda else 0
            raise TrainingError(f"run.device {name!r}: this machine has {n} CUDA devices.", hint="Use auto or cpu.")
    elif device.type != "cpu":
        raise TrainingError(f"run.device {name!r} is not supported.", hint="Use auto, cpu, cuda or cuda:N.")
    return device


@dataclass(frozen=True)
class Arithmetic:
    """In which numbers the network computes."""

    device: torch.device
    dtype: torch.dtype

    @classmethod
    def choose(cls, run: RunConfig, device: torch.device) -> Self:
        """As the config says.

        Raises:
            TrainingError: Half precision on a CPU that has no instructions for it, where it is many times slower.
        """
        if device.type == "cpu" and not _is_fast_on_cpu(run.precision):
            raise TrainingError(
                f"run.precision {run.precision!r} is many times slower than float32 on this CPU.",
                hint="Use auto or float32; bfloat16 needs a CPU with AMX or AVX512-BF16.",
            )
        name = run.precision
        if name == "auto":
            name = "float32" if device.type == "cpu" else "float16"
        return cls(device, getattr(torch, name))

    def autocast(self) -> AbstractContextManager[object]:
        """The block in which the network runs."""
        if self.dtype is torch.float32:
            return nullcontext()
        return torch.autocast(self.device.type, dtype=self.dtype)

    def scaler(self) -> torch.amp.GradScaler:
        """Keeps gradients of float16 from vanishing; does nothing for the others."""
        return torch.amp.GradScaler(self.device.type, enabled=self.dtype is torch.float16)


def _is_fast_on_cpu(precision: str) -> bool:
    """True for float32, and for bfloat16 where the CPU multiplies it; where torch cannot tell, it does not."""
    has: Mapping[str, object] = getattr(torch.cpu, "get_capabilities", dict)()
    return precision in ("auto", "float32") or (
        precision == "bfloat16" and bool(has.get("amx_bf16") or has.get("avx512_bf16"))
    )


@dataclass(frozen=True)
class Team:
    """The processes of a training; alone unless it was started by torchrun."""

    rank: int = 0
    world: int = 1
    local_rank: int = 0

    @classmethod
    def of_environment(cls) -> Self:
        """As torchrun tells it."""
        rank, world, local = (int(os.environ.get(k, d)) for k, d in (("RANK", 0), ("WORLD_SIZE", 1), ("LOCAL_RANK", 0)))
        return cls(rank, world, local)

    @property
    def leads(self) -> bool:
        """True for the one process that writes and shows."""
        return self.rank == 0

    def join(self, device: torch.device) -> None:
        """Meet the others."""
        if self.world > 1 and not distributed.is_initialized():
            if device.type == "cuda":
                torch.cuda.set_device(device)
            distributed.init_process_group("nccl" if device.type == "cuda" else "gloo", timeout=PATIENCE)

    def leave(self, *, waits: bool = False) -> None:
        """Part from the others; `waits` until all do, so that none ends while another still talks to it."""
        if self.world > 1 and distributed.is_initialized():
            if waits:
                distributed.barrier()
            distributed.destroy_process_group()

    def largest(self, value: float, device: torch.device) -> float:
        """The largest value that any process gives; all must ask together."""
        if self.world == 1:
            return value
        tensor = torch.tensor(value, dtype=torch.float64, device=device)
        distributed.all_reduce(tensor, op=distributed.ReduceOp.MAX)
        return float(tensor)

    def first(self, make: Callable[[], tuple[float, float]], device: torch.device) -> tuple[float, float]:
        """The two numbers that `make` gives in the first process, which alone calls it; all must ask together."""
        values = torch.tensor(make() if self.leads else (0.0, 0.0), dtype=torch.float64, device=device)
        if self.world > 1:
            distributed.broadcast(values, src=0)
        one, two = values.tolist()
        return one, two
