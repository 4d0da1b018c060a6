"""One config a family: the fusion decides, in Python and in YAML, which settings there are."""

import subprocess
import sys

import pytest
import yaml
from pydantic import ValidationError

from afrd import TrainConfig
from afrd.datasets import open_dataset
from afrd.errors import ModelError
from afrd.families import FAMILIES, family_of, offered
from afrd.families.distillation import DistillationConfig
from afrd.families.joint import JointConfig
from afrd.model.fusion import FUSIONS
from afrd.yaml_model import to_yaml


def test_the_fusion_decides_whose_config_it_is():
    assert type(TrainConfig()) is type(TrainConfig(fusion="joint")) is JointConfig
    assert TrainConfig().fusion == "joint"
    for fusion in ("single:3", "mean", "paper-attention", "attention"):
        assert type(TrainConfig(fusion=fusion, epochs=3)) is DistillationConfig
    with pytest.raises(ModelError, match="'median': unknown; choose one of auto, joint, nearest, single:K, mean"):
        TrainConfig(fusion="median")


def test_yaml_gives_the_same_config_back():
    for config in (TrainConfig(gaussian={"shrinkage": 0.1}), TrainConfig(fusion="single:3", epochs=3)):
        back = TrainConfig.model_validate(yaml.safe_load(to_yaml(config)))
        assert back == config and type(back) is type(config)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"epochs": 3}, "epochs: without effect on the model joint; acts on single:K, mean, paper-attention"),
        ({"fusion": "mean", "gaussian": {}}, "gaussian: without effect on the model mean; acts on joint"),
        ({"fusion": "mean", "colour": 1}, "colour\n.*not permitted"),
        ({"gaussian": {"shrinkage": 1.5}}, "gaussian.shrinkage\n.*less than 1"),
        ({"painting": {"colour": 1}}, "painting.colour\n.*not permitted"),
    ],
)
def test_a_setting_that_does_not_act_is_an_error(settings, says):
    with pytest.raises(ValidationError, match=says):
        TrainConfig(**settings)


def test_settings_for_several_families_are_sorted_by_what_they_act_on():
    assert TrainConfig.acting("auto", epochs=3, seed=1) == TrainConfig(seed=1)
    assert TrainConfig.acting("mean", epochs=3, seed=1) == TrainConfig(fusion="mean", epochs=3, seed=1)
    with pytest.raises(ValidationError, match="colour"):
        TrainConfig.acting("mean", colour=3)


def test_every_fusion_of_the_network_is_offered_by_one_family():
    assert set(FUSIONS) <= set(offered())
    assert len(offered()) == len(set(offered()))
    assert [family.config().fusion in family.names for family in FAMILIES] == [True] * len(FAMILIES)


def test_settings_need_no_torch():
    code = "import sys; import afrd; afrd.TrainConfig(); print({'torch', 'timm'} & set(sys.modules))"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "set()"


def test_the_share_of_the_highest_pixels_is_refused_where_a_model_has_its_own_score(tiny):
    good, family = open_dataset(tiny, "Confetto", "train"), family_of("anomalib:Padim")
    with pytest.raises(ModelError, match=r"top_share 0\.1: without effect on anomalib:Padim"):
        family.require(TrainConfig(fusion="anomalib:Padim", top_share=0.1), good)
    family.require(TrainConfig(fusion="anomalib:Padim"), good)
