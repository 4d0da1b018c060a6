"""Every multi-light model of this project as an anomalib model: trained, tested and asked by anomalib's Engine.

Training is the project's own, so that a model trained here is the one that `afrd train` makes: the Engine starts it
once, before its single epoch, and what comes of it, threshold and card included, lies in `out` as a run folder that
every command here takes. Predictions, metrics, visualisers, checkpoints are anomalib's.
"""

import json
from pathlib import Path
from typing import Any

import torch
from anomalib import LearningType
from anomalib.data import Batch, InferenceBatch
from anomalib.metrics import Evaluator
from anomalib.models.components import AnomalibModule
from anomalib.post_processing import PostProcessor
from anomalib.pre_processing import PreProcessor
from anomalib.visualization import Visualizer
from torch import Tensor, nn
from torch.nn.functional import interpolate

from afrd.card import ModelCard
from afrd.checkpoint import load_model
from afrd.errors import ModelError
from afrd.families import TrainConfig, build_model
from afrd.integrations.anomalib.data import LightsDataModule, LightsDataset
from afrd.integrations.anomalib.threshold import StatedThreshold
from afrd.model import MultiLightModel
from afrd.model.teacher import Teacher
from afrd.training import train

_CARD = "afrd_card"
_TEACHER = "model.model.teacher."


class OfLights(nn.Module):
    """model: a fitted MultiLightModel, which takes lights [B, N, C, H, W]; the answer is as large as they are."""

    def __init__(self, model: MultiLightModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, lights: Tensor) -> InferenceBatch:
        """pred_score: [B]; anomaly_map: [B, H, W]."""
        found = self.model(lights)
        maps = interpolate(found.anomaly_map[:, None], lights.shape[-2:], mode="bilinear", align_corners=False)
        return InferenceBatch(pred_score=found.score, anomaly_map=maps[:, 0])


class MultiLight(AnomalibModule):
    """fusion: joint, nearest, mean, attention, … or auto, as `afrd train --fusion`.

    out: the run folder; None: `afrd` in the Engine's. settings: the family's others, as of `afrd.TrainConfig`.
    card: after training, what the model promises. The data module must be a `LightsDataModule`.
    """

    def __init__(
        self,
        fusion: str = "auto",
        out: str | None = None,
        settings: dict[str, Any] | None = None,
        pre_processor: PreProcessor | bool = False,
        post_processor: PostProcessor | bool = True,
        evaluator: Evaluator | bool = True,
        visualizer: Visualizer | bool = True,
    ) -> None:
        """pre_processor: none is needed; the model resizes the lights itself. Raises ModelError: no such fusion."""
        super().__init__(pre_processor, post_processor, evaluator, visualizer)
        self.config = TrainConfig(fusion=fusion, **settings or {})
        self.out, self.card = out, None
        self.model = nn.Identity()  # until it is trained or loaded

    def on_fit_start(self) -> None:
        """Trains. Raises ModelError: other data; DatasetError, RunError as `afrd.training.train`."""
        super().on_fit_start()
        data = self.trainer.datamodule
        if not isinstance(data, LightsDataModule):
            raise ModelError(
                f"MultiLight reads the lights of LightsDataModule, not {type(data).__name__}; pass "
                f"datamodule=LightsDataModule(...) to the Engine"
            )
        out = Path(self.out or Path(self.trainer.default_root_dir) / "afrd")
        with torch.enable_grad():
            train(data.train_captures, out, self.config, holdout=data.val_captures)
        self._take(*load_model(out))

    def _take(self, model: MultiLightModel, card: ModelCard) -> None:
        self.model, self.card = OfLights(model.to(self.device)).requires_grad_(False).eval(), card
        if isinstance(self.post_processor, StatedThreshold):
            self.post_processor.use(card.threshold)

    def on_validation_start(self) -> None:
        """Captures are seen as the model's were, under its lights."""
        self._see()

    def on_test_start(self) -> None:
        """As above."""
        self._see()

    def on_predict_start(self) -> None:
        """As above."""
        self._see()

    def _see(self) -> None:
        imaging = self.card.imaging if self.card else None
        if imaging and imaging.tiling:
            raise ModelError("a model of tiles is not one map a capture, as anomalib needs it; use afrd evaluate")
        if imaging and imaging.alignment:
            raise ModelError("align: part: anomalib has no answer for a part that is not found; use afrd evaluate")
        data = self.trainer.datamodule
        for name in ("val_data", "test_data"):
            if isinstance(found := getattr(data, name, None), LightsDataset):
                captures = found.captures.picked_for(self.card.lights.rig()) if self.card else found.captures
                found.captures = captures.read_as(imaging)

    def training_step(self, batch: Batch, *args: Any, **kwargs: Any) -> Tensor:
        """Nothing is left to be done: see `on_fit_start`."""
        return torch.zeros((), requires_grad=True, device=self.device)

    def validation_step(self, batch: Batch, *args: Any, **kwargs: Any) -> Batch:
        """Adds scores and maps."""
        return self._answered(batch)

    def test_step(self, batch: Batch, batch_idx: int, *args: Any, **kwargs: Any) -> Batch:
        """Adds scores and maps."""
        return self._answered(batch)

    def predict_step(self, batch: Batch, batch_idx: int, dataloader_idx: int = 0) -> Batch:
        """Adds scores and maps."""
        return self._answered(batch)

    def _answered(self, batch: Batch) -> Batch:
        if self.card is None:
            raise ModelError("MultiLight is not trained; call Engine.fit or load_from_checkpoint first")
        lights = getattr(batch, "lights", None)
        if lights is None:
            raise ModelError("batches without lights; use LightsDataModule or LightsDataset")
        return batch.update(**self.model(lights)._asdict())

    @staticmethod
    def configure_optimizers() -> None:
        """None: training is not the Engine's."""

    @property
    def trainer_arguments(self) -> dict[str, Any]:
        """One epoch of one batch, as training is done by then."""
        return {"max_epochs": 1, "limit_train_batches": 1, "num_sanity_val_steps": 0, "devices": 1}

    @property
    def learning_type(self) -> LearningType:
        """From good parts only."""
        return LearningType.ONE_CLASS

    @staticmethod
    def configure_post_processor() -> PostProcessor:
        """A threshold at a stated false-alarm rate."""
        return StatedThreshold()

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Adds the card, from which the model is built again."""
        super().on_save_checkpoint(checkpoint)
        checkpoint[_CARD] = None if self.card is None else self.card.model_dump_json()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Builds the model that the checkpoint's tensors belong to."""
        super().on_load_checkpoint(checkpoint)
        if checkpoint.get(_CARD) is None:
            return
        card = ModelCard.model_validate(json.loads(checkpoint[_CARD]))
        state = checkpoint["state_dict"]
        teacher = {k.removeprefix(_TEACHER): v for k, v in state.items() if k.startswith(_TEACHER)}
        config = TrainConfig.model_validate(card.config)
        model = build_model(config, len(card.lights.names), Teacher.from_state(card.teacher, teacher))
        if card.imaging:
            model.look_at(card.imaging.looked_at(card.image_size))
        if card.lights.weights:
            model.trust(card.lights.weights)
        model.size_as({k.removeprefix("model.model."): v for k, v in state.items()})
        self._take(model, card)
