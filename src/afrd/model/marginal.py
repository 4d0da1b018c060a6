"""The joint Gaussian of some of its lights: the covariance without the others' rows and columns, exact."""

from collections.abc import Sequence

from afrd.model.joint import JointGaussian


def marginal(model: JointGaussian, lights: Sequence[int]) -> JointGaussian:
    """The model that knows these lights only. Its expectation is still to be learned."""
    room = model.settings.channels // model.lights * len(lights)
    settings = model.settings.model_copy(update={"channels": room})
    part = JointGaussian(model.teacher, None, len(lights), model.image_size, model.top_share, settings)
    index = model.columns_of(lights)
    part.mean.copy_(model.mean[index])
    part.covariance.copy_(model.covariance[index][:, index])
    part.defects.covariance.copy_(model.defects.covariance[index][:, index])
    part.samples.copy_(model.samples)
    covariance = part.covariance.cpu().double()
    part.expectation.orient(covariance, part._level_energy(covariance.diagonal() + part.mean.cpu().square()))
    part.inside = model.inside
    part.trust([model.weights[k] for k in lights])
    return part.to(model.mean.device).eval()
