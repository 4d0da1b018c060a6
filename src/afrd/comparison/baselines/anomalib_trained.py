"""The methods of anomalib that are trained by gradient: GANomaly, STFPM and its Reverse Distillation.

anomalib's own torch models, losses and optimiser settings (those of its Lightning modules), in a plain loop over
`settings.epochs` passes in batches of `settings.batch_size`, without its normalisation and thresholds.

Departures from anomalib's defaults:
- GANomaly reads images reduced to 64² (a processor needs about an hour a job at 256²), scaled to [-1, 1], the range of
  its generator's tanh, as its authors do; anomalib feeds ImageNet-normalised images, which tanh cannot reproduce.
- STFPM and Reverse Distillation take our teacher as a module in place of the one that anomalib would download. STFPM's
  student is another module, of the same architecture, with its random initialisation.
- Reverse Distillation needs a decoder of anomalib's, and there are nine, all of ResNets: another teacher is an error.
"""

import numpy as np
import torch
from lightning_fabric.utilities.seed import seed_everything
from torch import Tensor, nn
from torch.nn.functional import interpolate

from afrd.comparison.baselines import backbone as backbones
from afrd.comparison.baselines.training import autocast, require_finite, shuffled
from afrd.comparison.baselines.training import train as minimise
from afrd.comparison.job import Scored, Settings
from afrd.errors import MissingExtraError, ModelError
from afrd.model.weights import Normalisation

try:
    from anomalib.models.components import TimmFeatureExtractor
    from anomalib.models.image.ganomaly.loss import DiscriminatorLoss, GeneratorLoss
    from anomalib.models.image.ganomaly.torch_model import GanomalyModel
    from anomalib.models.image.reverse_distillation.anomaly_map import AnomalyMapGenerationMode
    from anomalib.models.image.reverse_distillation.loss import ReverseDistillationLoss
    from anomalib.models.image.reverse_distillation.torch_model import ReverseDistillationModel
    from anomalib.models.image.stfpm.loss import STFPMLoss
    from anomalib.models.image.stfpm.torch_model import STFPMModel
except ImportError as error:
    raise MissingExtraError("anomalib", "baselines") from error

GANOMALY_SIZE = 64
STRIDES = (4, 8, 16)


def ganomaly(train: np.ndarray, holdout: np.ndarray, test: np.ndarray, settings: Settings, seed: int) -> Scored:
    """Distance between the codes of an image and of its reconstruction. Akcay et al. 2018. No map."""
    seed_everything(seed, verbose=False)
    size = (GANOMALY_SIZE, GANOMALY_SIZE)
    model = GanomalyModel(size, num_input_channels=3, n_features=64, latent_vec_size=100)
    model.to(memory_format=torch.channels_last).train()
    _train_ganomaly(model, interpolate(backbones.normalised(train, TANH), size, mode="area"), settings, seed)
    model.eval()
    return backbones.score_images(
        lambda x: (model(interpolate(x, size, mode="area")).pred_score, None), holdout, test, TANH
    )


TANH = Normalisation((0.5,) * 3, (0.5,) * 3)


def _train_ganomaly(model: GanomalyModel, images: Tensor, settings: Settings, seed: int) -> None:
    """The step of anomalib's Lightning module, which alternates between generator and discriminator."""
    generator = torch.optim.Adam(model.generator.parameters(), lr=2e-4, betas=(0.5, 0.999))
    discriminator = torch.optim.Adam(model.discriminator.parameters(), lr=2e-4, betas=(0.5, 0.999))
    generator_loss, discriminator_loss = GeneratorLoss(), DiscriminatorLoss()
    for batch in shuffled(len(images), settings, seed):
        with autocast(settings):
            padded, fake, latent_i, latent_o = model(images[batch])
            real, _ = model.discriminator(padded)
            pred_fake, _ = model.discriminator(fake)
        outputs = (latent_i, latent_o, padded, fake, real, pred_fake)
        loss = generator_loss(*(x.float() for x in outputs))
        require_finite(loss)
        generator.zero_grad()
        loss.backward(retain_graph=True)
        generator.step()
        with autocast(settings):
            pred_fake, _ = model.discriminator(fake.detach())
        discriminator.zero_grad()
        discriminator_loss(real.float(), pred_fake.float()).backward()
        discriminator.step()


def stfpm(train: np.ndarray, holdout: np.ndarray, test: np.ndarray, settings: Settings, seed: int) -> Scored:
    """A student that learns the teacher's levels at strides 4, 8, 16. Wang et al. 2021."""
    seed_everything(seed, verbose=False)
    model, normalisation = _stfpm_model(settings)
    loss = STFPMLoss()
    optimizer = torch.optim.SGD(model.student_model.parameters(), lr=0.4, momentum=0.9, weight_decay=0.001)

    def loss_of(images: Tensor) -> Tensor:
        with autocast(settings):
            teacher, student = model(images)
        return loss(_floats(teacher), _floats(student))

    model.train()
    minimise(loss_of, optimizer, backbones.normalised(train, normalisation), settings, seed)
    return _scores(model, holdout, test, normalisation)


def _stfpm_model(settings: Settings) -> tuple[STFPMModel, Normalisation]:
    """With a student of its own: given one module, anomalib would use it as teacher and as student."""
    backbone, normalisation = backbones.load(settings)
    layers = backbones.layer_names(backbone, STRIDES)
    model = STFPMModel(layers, backbone)
    model.student_model = TimmFeatureExtractor(backbones.untrained(settings), layers, requires_grad=True)
    return model, normalisation


def reverse_distillation(
    train: np.ndarray, holdout: np.ndarray, test: np.ndarray, settings: Settings, seed: int
) -> Scored:
    """anomalib's own Reverse Distillation, a cross-check of ours. Deng and Li 2022.

    Raises ModelError: a teacher that is no ResNet.
    """
    seed_everything(seed, verbose=False)
    model, normalisation = _reverse_distillation_model(settings)
    loss = ReverseDistillationLoss()
    trained = [*model.decoder.parameters(), *model.bottleneck.parameters()]
    optimizer = torch.optim.Adam(trained, lr=0.005, betas=(0.5, 0.99))

    def loss_of(images: Tensor) -> Tensor:
        with autocast(settings):
            encoder, decoder = model(images)
        return loss([x.float() for x in encoder], [x.float() for x in decoder])

    model.train()
    minimise(loss_of, optimizer, backbones.normalised(train, normalisation), settings, seed)
    return _scores(model, holdout, test, normalisation)


def _reverse_distillation_model(settings: Settings) -> tuple[ReverseDistillationModel, Normalisation]:
    size = (settings.image_size, settings.image_size)
    name = backbones.architecture(settings)
    try:
        layers = ["layer1", "layer2", "layer3"]
        model = ReverseDistillationModel(name, size, layers, AnomalyMapGenerationMode.ADD, pre_trained=False)
    except ValueError as error:
        raise ModelError(
            "anomalib-rd takes ResNets only; choose --teacher wide_resnet50_2.tv_in1k --teacher-weights FILE"
        ) from error
    backbone, normalisation = backbones.load(settings)
    model.encoder = TimmFeatureExtractor(backbone, layers)
    return model, normalisation


def _floats(levels: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: level.float() for name, level in levels.items()}


def _scores(model: nn.Module, holdout: np.ndarray, test: np.ndarray, normalisation: Normalisation) -> Scored:
    model.eval()

    def answer(images: Tensor) -> tuple[Tensor, Tensor]:
        prediction = model(images)
        return prediction.pred_score, prediction.anomaly_map.flatten(0, 1)

    return backbones.score_images(answer, holdout, test, normalisation)
