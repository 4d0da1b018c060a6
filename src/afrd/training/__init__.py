"""From good captures to a trained run: configuration, feature cache, loop, threshold."""

from afrd.families import TrainConfig
from afrd.training.loop import train
from afrd.training.run_folder import Epoch

__all__ = ["Epoch", "TrainConfig", "train"]
