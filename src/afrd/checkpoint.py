"""A trained model on disk and back.

A run folder holds everything that is needed to use the model elsewhere, weights of the teacher included:

    run.yaml              what was asked for: configuration, lights, data digest   (written first)
    teacher.safetensors   the frozen teacher, once
    epoch-0007/           the last whole epoch: weights and optimiser              (while training)
    model.safetensors     fusion, bottleneck, student
    model.yaml            what the model needs to be used: `afrd.card`             (written last: the run is finished)

Tensors are safetensors, the rest YAML; nothing is pickled.
"""

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from afrd.card import FORMAT, ModelCard
from afrd.errors import RunError
from afrd.families import TrainConfig, build_model
from afrd.files import atomic_path, write_text
from afrd.model import MultiLightModel
from afrd.model.teacher import Teacher
from afrd.model.weights import tensors_digest
from afrd.yaml_model import parse, read_yaml, to_yaml


def save_teacher(run: Path, teacher: Teacher) -> None:
    """The teacher's tensors into the run, unless they are there already."""
    path = run / "teacher.safetensors"
    if not path.exists():
        with atomic_path(path) as temporary:
            save_file(contiguous(teacher.state_dict()), temporary, metadata={"name": teacher.name})


def save_model(run: Path, model: MultiLightModel, card: ModelCard) -> None:
    """Trained weights, then the card whose presence says that the run is finished."""
    with atomic_path(run / "model.safetensors") as temporary:
        save_file(contiguous(trained_state(model)), temporary)
    write_text(run / "model.yaml", to_yaml(card))


def load_model(run: Path) -> tuple[MultiLightModel, ModelCard]:
    """A finished run, ready to inspect on the CPU in eval mode.

    Raises RunError: no run, unfinished, of another format, damaged, or a teacher that is not the one trained with.
    """
    run = Path(run)
    card = load_card(run)
    state = read_tensors(run / "teacher.safetensors")
    try:
        teacher = Teacher.from_state(card.teacher, state)
    except RuntimeError as error:  # torch names every tensor
        what = f"its tensors do not fit the teacher {card.teacher}; is it another run's file? Restore it"
        raise RunError(f"{run / 'teacher.safetensors'}: {what}") from error
    if teacher.digest() != card.teacher_digest:
        raise RunError(f"{run / 'teacher.safetensors'}: not the teacher this model was trained with; restore the file")
    model = build_model(parse(TrainConfig, card.config, run / "model.yaml"), len(card.lights.names), teacher)
    load_trained_state(model, read_tensors(run / "model.safetensors"), run / "model.safetensors")
    if trained_digest(model) != card.trained_digest:
        raise RunError(f"{run / 'model.safetensors'}: not the weights that model.yaml describes; restore both files")
    if card.lights.weights:
        model.trust(card.lights.weights)
    if card.imaging:
        model.look_at(card.imaging.looked_at(card.image_size))
    return model.eval(), card


def load_card(run: Path) -> ModelCard:
    """The card alone, without loading weights. Raises RunError."""
    path = run / "model.yaml"
    if not path.is_file():
        if (run / "run.yaml").is_file():
            raise RunError(f"{run}: this run is not finished; continue it with afrd train … --out {run} --resume")
        raise RunError(f"{run}: no trained model here (model.yaml not found); pass the --out folder of afrd train")
    data = read_yaml(path)
    if data.get("format") != FORMAT:
        fix = "train again, or use the afrd that wrote it"
        raise RunError(f"{path}: format {data.get('format')!r}, this afrd reads {FORMAT}; {fix}")
    return parse(ModelCard, data, path)


def trained_state(model: MultiLightModel) -> dict[str, Tensor]:
    """Parameters and buffers of everything but the teacher."""
    return {k: v for k, v in model.state_dict().items() if not k.startswith("teacher.")}


def trained_digest(model: MultiLightModel) -> str:
    """SHA-256 of everything but the teacher."""
    return tensors_digest(trained_state(model))


def load_trained_state(model: MultiLightModel, state: dict[str, Tensor], path: Path) -> None:
    """Into a model of the same configuration. Raises RunError: tensors that do not fit; `path` is named."""
    model.size_as(state)
    own = trained_state(model)
    wrong = sorted(
        k for k in own.keys() | state.keys() if k not in own or k not in state or own[k].shape != state[k].shape
    )
    if wrong:
        raise RunError(
            f"{path}: {len(wrong)} tensors do not fit this model, first {wrong[0]}; is it another run's file?"
        )
    model.load_state_dict(state, strict=False)  # the teacher's tensors are not in it, all others were compared


def read_tensors(path: Path) -> dict[str, Tensor]:
    """A safetensors file. Raises RunError: missing or cut short."""
    if not path.is_file():
        raise RunError(f"{path}: missing; restore it, or train again into another folder")
    try:
        return load_file(path)
    except PermissionError as error:
        raise RunError(f"{path}: no permission to read it; make it readable") from error
    except (SafetensorError, OSError) as error:
        raise RunError(f"{path}: damaged ({error}); restore it, or train again into another folder") from error


def contiguous(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Copies as safetensors takes them: on the CPU, each with memory of its own, in the default layout."""
    return {k: v.detach().cpu().contiguous().clone(memory_format=torch.contiguous_format) for k, v in state.items()}
