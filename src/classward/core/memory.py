"""Going on when memory runs out: with half as many images at once."""

import gc
from collections.abc import Callable
from typing import TypeVar

import torch

from classward.core.errors import SystemFaultError

T = TypeVar("T")
WORDS = (  # of errors that have no type of their own
    "DefaultCPUAllocator",
    "CUDA error: out of memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
)


def out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out, of a device or of the machine."""
    if isinstance(error, MemoryError | torch.cuda.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(word in str(error) for word in WORDS)


class Room:
    """How many images fit at once: as many as asked, until one time they do not.

    Attributes:
        most: Images at once.
        asked: What `most` was at the start.
    """

    def __init__(self, most: int) -> None:
        self.most = self.asked = most

    @property
    def halved_to(self) -> int | None:
        """Images at once after memory ran out; `None` if it never did."""
        return None if self.most == self.asked else self.most

    def fit(self, work: Callable[[int], T]) -> T:
        """`work(most)`; each time memory runs out, anew and for good with half of `most`.

        Raises:
            SystemFaultError: If memory runs out with one image.
        """
        while True:
            try:
                return work(self.most)
            except (MemoryError, RuntimeError) as error:
                if not out_of_memory(error):
                    raise
                if self.most == 1:
                    raise SystemFaultError(
                        "memory runs out with one image at once: free some, or take a smaller "
                        "model, smaller images or another device"
                    ) from None
            self.most //= 2
            gc.collect()  # here, where the error holds its tensors no more
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
