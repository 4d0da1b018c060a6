"""Captures as anomalib's items, batches, data set and data module.

anomalib validates every image as [3, H, W]. That image is the mean of the lights, which its visualisers draw and its
own models read; the lights themselves travel beside it, in a field that anomalib carries along and leaves alone.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from anomalib import TaskType
from anomalib.data import AnomalibDataModule, AnomalibDataset, ImageBatch, ImageItem
from anomalib.data.utils import LabelName, TestSplitMode, ValSplitMode
from pandas import DataFrame
from torchvision.tv_tensors import Mask

from afrd.datasets import CaptureSet, open_dataset, splits
from afrd.errors import DatasetError


@dataclass
class LightsItem(ImageItem):
    """One capture. lights: [N, 3, H, W] float32 in [0, 1], or 1 for 3 where grey; image: their mean, [3, H, W]."""

    lights: torch.Tensor | None = None


@dataclass
class LightsBatch(ImageBatch):
    """Captures of one size. lights: [B, N, 3, H, W], or 1 for 3; image: [B, 3, H, W]."""

    item_class: ClassVar[type[LightsItem]] = LightsItem
    lights: torch.Tensor | None = None


class LightsDataset(AnomalibDataset):
    """The captures of one split. A bad capture without a mask makes the task one of classification."""

    def __init__(self, captures: CaptureSet, split: str) -> None:
        """split: "train", "val" or "test"."""
        super().__init__()
        self.captures = captures
        known = {None: LabelName.UNKNOWN, False: LabelName.NORMAL, True: LabelName.ABNORMAL}
        rows = [
            {
                "image_path": str(record.images[0]),
                "mask_path": str(record.mask) if record.mask else "",
                "label": "normal" if not record.anomalous else "abnormal",
                "label_index": known[record.anomalous],
                "split": split,
                "capture": index,
            }
            for index, record in enumerate(captures.records)
        ]
        self.samples = DataFrame(rows)
        masked = all(record.mask or record.drawn for record in captures.records if record.anomalous)
        self.samples.attrs["task"] = TaskType.SEGMENTATION if masked else TaskType.CLASSIFICATION

    def __getitem__(self, index: int) -> LightsItem:
        """Raises DatasetError: a damaged file."""
        row = self.samples.iloc[index]
        capture = self.captures[int(row.capture)]
        seen = capture.tiles[0] if len(capture.tiles) == 1 else capture.images  # the rig's gain taken out
        lights = torch.from_numpy(seen.astype(np.float32) / np.iinfo(seen.dtype).max)
        mask = None if capture.mask is None or self.task != TaskType.SEGMENTATION else Mask(capture.mask)
        return LightsItem(
            image=lights.mean(0).expand(3, -1, -1).contiguous(),
            gt_mask=mask,
            gt_label=None if capture.anomalous is None else torch.tensor(int(capture.anomalous)),
            image_path=row.image_path,
            mask_path=row.mask_path,
            lights=lights,
        )

    @property
    def collate_fn(self):
        """Items → LightsBatch."""
        return LightsBatch.collate


class LightsDataModule(AnomalibDataModule):
    """A data set in any layout that is read here, for anomalib's Engine.

    root, category, pattern: as for `open_dataset`. test: the split to test. Good parts of `val` choose the threshold;
    where there is no `val` split, `MultiLight` holds some of `train` out, and they are not in any split here.
    """

    def __init__(
        self,
        root: str | Path,
        category: str | None = None,
        *,
        pattern: str | None = None,
        test: str = "test",
        train_batch_size: int = 8,
        eval_batch_size: int = 8,
        num_workers: int = 0,
    ) -> None:
        super().__init__(
            train_batch_size,
            eval_batch_size,
            num_workers,
            test_split_mode=TestSplitMode.FROM_DIR,
            val_split_mode=ValSplitMode.FROM_DIR,
        )
        self.root, self._category, self.pattern, self.test_split = Path(root), category or "", pattern, test
        there = splits(root, category, pattern=pattern)
        self.train_captures = open_dataset(root, category, "train", pattern=pattern)
        self.val_captures = self._read("val") if "val" in there else None

    def _read(self, split: str) -> CaptureSet:
        """Values are read as those of `train` are."""
        captures = open_dataset(self.root, self._category or None, split, pattern=self.pattern)
        return captures.read_as(self.train_captures.imaging)

    def _setup(self, _stage: str | None = None) -> None:
        self.train_data = LightsDataset(self.train_captures, "train")
        tested = self._read(self.test_split)
        if None in tested.labels:
            raise DatasetError(f"{self.root}: {tested.split} has no labels; test a split that has them")
        self.test_data = LightsDataset(tested, "test")
        held = self.val_captures if self.val_captures is not None else self.train_captures[:1]
        self.val_data = LightsDataset(held, "val")
