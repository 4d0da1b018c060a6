"""The methods of anomalib that are fitted in one pass over good images: PaDiM, PatchCore, DFM, DFKDE.

anomalib's own torch models with their defaults, without its engine, normalisation and thresholds: raw scores and maps.
All read our teacher, handed over as a module, normalised as its weights expect; in place of their feature extractor
they get one that gives the same levels and shares them with other jobs (`shared_features`). Levels are those of the
methods, by stride (on a ResNet: the same layers as anomalib's defaults).

Departures from anomalib's defaults:
- PaDiM: where anomalib has no number of features for the teacher, 100 (its number for ResNet-18), or all if fewer.
- PatchCore: the greedy coreset is computed lazily; the choice is the same (see `coreset`).

DFKDE's score is a probability in single precision: what lies very far from all training images gets exactly 1.

`anomalib_trained` has those that are trained by gradient.
"""

from pathlib import Path

import numpy as np
import torch
from lightning_fabric.utilities.seed import seed_everything
from torch import Tensor, nn

from afrd.comparison.baselines import backbone as backbones
from afrd.comparison.baselines.shared_features import SharedExtractor, SharedFeatures
from afrd.comparison.job import Scored, Settings
from afrd.errors import MissingExtraError, ModelError
from afrd.model.weights import Normalisation

try:
    from anomalib.models.image.dfkde.torch_model import DfkdeModel
    from anomalib.models.image.dfm.torch_model import DFMModel
    from anomalib.models.image.padim.torch_model import _N_FEATURES_DEFAULTS, PadimModel
    from anomalib.models.image.patchcore.torch_model import PatchcoreModel
except ImportError as error:
    raise MissingExtraError("anomalib", "baselines") from error

from afrd.comparison.baselines.coreset import LazyKCenterGreedy

PADIM_FEATURES = 100
CORESET_SHARE = 0.1


def padim(
    train: np.ndarray, holdout: np.ndarray, test: np.ndarray, settings: Settings, seed: int, store: Path | None = None
) -> Scored:
    """A Gaussian at every position of the three levels (strides 4, 8, 16). Defard et al. 2021."""
    seed_everything(seed, verbose=False)
    backbone, normalisation = backbones.load(settings)
    model = _padim_model(backbone, settings)
    _share(model, backbone, store)
    _fit(model, train, normalisation)
    return backbones.score_images(lambda x: _answer(model(x)), holdout, test, normalisation)


def _padim_model(backbone: nn.Module, settings: Settings) -> PadimModel:
    layers = backbones.layer_names(backbone, (4, 8, 16))
    channels = sum(level["num_chs"] for level in backbone.feature_info if level["module"] in layers)
    wanted = _N_FEATURES_DEFAULTS.get(backbones.architecture(settings), PADIM_FEATURES)
    return PadimModel(backbone, layers, n_features=min(wanted, channels))


def patchcore(
    train: np.ndarray, holdout: np.ndarray, test: np.ndarray, settings: Settings, seed: int, store: Path | None = None
) -> Scored:
    """Nearest neighbours in a 10 % coreset of all patches (strides 8, 16). Roth et al. 2022."""
    seed_everything(seed, verbose=False)
    backbone, normalisation = backbones.load(settings)
    model = _fitted_patchcore(backbone, normalisation, train, store)
    return backbones.score_images(lambda x: _answer(model(x)), holdout, test, normalisation)


def _fitted_patchcore(
    backbone: nn.Module, normalisation: Normalisation, train: np.ndarray, store: Path | None = None
) -> PatchcoreModel:
    model = PatchcoreModel(backbones.layer_names(backbone, (8, 16)), backbone)
    _share(model, backbone, store)
    _collect(model, train, normalisation)
    model.memory_bank = LazyKCenterGreedy(torch.vstack(model.embedding_store), CORESET_SHARE).sample_coreset()
    model.embedding_store.clear()
    return model.eval()


def dfm(
    train: np.ndarray, holdout: np.ndarray, test: np.ndarray, settings: Settings, seed: int, store: Path | None = None
) -> Scored:
    """Feature reconstruction error of a PCA of the level at stride 16. Ahuja et al. 2019. Nothing is random."""
    backbone, normalisation = backbones.load(settings)
    model = DFMModel(backbone, *backbones.layer_names(backbone, (16,)))
    _share(model, backbone, store)
    _fit(model, train, normalisation)
    return backbones.score_images(lambda x: _answer(model(x)), holdout, test, normalisation)


def dfkde(
    train: np.ndarray, holdout: np.ndarray, test: np.ndarray, settings: Settings, seed: int, store: Path | None = None
) -> Scored:
    """Density of the pooled deepest level (stride 32) after a PCA to 16 components. Nothing is random.

    Raises ModelError: too few images for the covariance of 16 components.
    """
    backbone, normalisation = backbones.load(settings)
    model = DfkdeModel(backbone, backbones.layer_names(backbone, (32,)))
    _share(model, backbone, store)
    components = model.classifier.n_pca_components
    if len(train) <= components:
        raise ModelError(f"dfkde: {len(train)} training images; its {components} components need {components + 1}")
    _fit(model, train, normalisation)
    return backbones.score_images(lambda x: (model(x).pred_score, None), holdout, test, normalisation)


def _share(model: nn.Module, backbone: nn.Module, store: Path | None) -> None:
    """From now on the model reads its levels from the store."""
    model.feature_extractor = SharedExtractor(SharedFeatures(backbone, store), model.feature_extractor.layers)


def _fit(model: nn.Module, train: np.ndarray, normalisation: Normalisation) -> None:
    """One pass over the training images, then the model's own fit."""
    _collect(model, train, normalisation)
    model.fit()
    model.eval()


@torch.no_grad()
def _collect(model: nn.Module, train: np.ndarray, normalisation: Normalisation) -> None:
    """In training mode these models keep the features of what they are shown; their teacher stays in eval mode."""
    model.train()
    for batch in backbones.batches(train, normalisation):
        model(batch)


def _answer(prediction) -> tuple[Tensor, Tensor]:
    """anomalib's InferenceBatch → scores [B], maps [B, S, S]."""
    return prediction.pred_score, prediction.anomaly_map.flatten(0, 1)
