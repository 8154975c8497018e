"""Processes that a launcher such as `torchrun` started together, as its environment tells."""

import os


def is_first() -> bool:
    """Whether this is the process that writes and speaks; one alone is."""
    return os.environ.get("RANK", "0") == "0"


def together() -> int:
    """How many there are; 1 for one alone."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def own_number() -> int:
    """Which of the processes of this machine this is, from 0."""
    return int(os.environ.get("LOCAL_RANK", "0"))
