"""The one way from a capture to a verdict: Python, command line and every later service go through here.

Needs a finished run or an exported artefact, never training; what computes is a runtime (`afrd.runtimes`). Nothing here
imports torch, so that an ONNX or OpenVINO artefact is inspected where torch is not installed.
"""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np

from afrd.capture import CHANNELS, Capture, LightRig, with_channels
from afrd.card import ModelCard
from afrd.datasets import require_lights
from afrd.errors import DatasetError, ModelError
from afrd.fail_safe import OnLightFault, light_faults_in_words, require_known, trust
from afrd.families import able_to, family_of
from afrd.imaging import Imaging
from afrd.imaging.coarse_map import CoarseMap
from afrd.imaging.interleaved import as_decoded
from afrd.imaging.motion import Registered
from afrd.imaging.region import MovedRegion, Region
from afrd.imaging.tiles import score
from afrd.inspection import Inspection
from afrd.rig.light_check import LightFault
from afrd.rig.words import CUT, LOST, replaced_in_words
from afrd.runtimes import Answer, Runtime, open_runtime
from afrd.views.under import picture_under


class Inspector:
    """A trained model that answers for one capture at a time.

    card: what the run was trained on and for. runtime: torch, onnx or openvino.
    lights: the rig it was trained for; captures must have the same lights in the same order.
    threshold: of captures that are like training's; a capture that the rig check notes, or that a light is left out of,
        has another (`Inspection.threshold`). config: the model's. on_light_fault: see `load`.
    """

    def __init__(self, runtime: Runtime, check_lights: bool = True, on_light_fault: OnLightFault | None = None) -> None:
        self._runtime, self._checks_lights = runtime, check_lights
        self.runtime: str = runtime.name
        self.card: ModelCard = runtime.card
        self.lights: LightRig = self.card.lights.rig()
        without = (runtime.can_leave_out and self.card.thresholds_without) or ()
        self._without = {k: value for k, value in enumerate(without) if value is not None}  # light → threshold
        self.threshold: float = self.card.threshold
        self.on_light_fault: OnLightFault = on_light_fault or self.card.on_light_fault
        require_known(self.on_light_fault)
        self.config: dict[str, Any] = self.card.model_dump(mode="json") | {"on_light_fault": self.on_light_fault}

    @classmethod
    def load(
        cls,
        path: str | Path,
        device: str = "cpu",
        runtime: str = "auto",
        check_lights: bool = True,
        compile: bool = False,
        on_light_fault: OnLightFault | None = None,
    ) -> Self:
        """From the folder that training left, or an artefact of `afrd export`: .onnx, OpenVINO .xml, .pt2.

        A .pt2 may run code of whoever made it: load only your own. The others cannot.
        device: cpu, cuda, cuda:1, mps; with OpenVINO cpu, gpu, npu. runtime: "auto", or the one that is expected.
        check_lights: look for faults of the lights, and of the whole rig, in every capture.
        compile: a run folder with torch.compile: the first inspection takes a minute, the others less than without.
        on_light_fault: "reject": a capture with any fault of the lights has the verdict "light fault". "leave-out": one
            light that failed is left out, by models that can do without, and the others judge. None: as the card says,
            which is "reject" unless it was trained otherwise.

        Raises RunError: no run, unfinished, damaged, of another format; ModelError: a device that is not there, an
        artefact for another runtime or that should be compiled, no C++ compiler, on_light_fault unknown;
        MissingExtraError.
        """
        return cls(open_runtime(Path(path), device, runtime, compile), check_lights, on_light_fault)

    def inspect(self, images: np.ndarray, id: str = "", missing: Sequence[str] = ()) -> Inspection:
        """One object under all lights, as the camera gives it, in the order of `lights`.

        images: [N, 3, H, W] RGB, or grey as [N, 1, H, W] or [N, H, W]; uint8 or uint16, of the depth that the model was
        trained with. An artefact takes images of one size, a run any.
        missing: names of lights that are out of order; their images are not looked at.

        Lights are checked first, where the model knows them (`card.light_reference`); what a fault means for the
        verdict is `on_light_fault` (`afrd.fail_safe`). No image is ever read as another light's: an inverted part looks
        like opposite lights exchanged. While no light is missing, the whole rig is compared with training (`afrd.rig`).

        Raises ModelError: another number of lights, another shape or type, an answer that is not finite; a missing
        light that there is not, more than one, or a model that needs every light.
        """
        seen = self._seen(images, f"capture {id or 'without id'}", self.missing_lights(missing))
        return self._inspect(seen, id, missing)

    def picture_under(self, images: np.ndarray, light: str | tuple[float, float, float]) -> np.ndarray:
        """What a part would look like under a light that is out of order, or that the rig does not have.

        For people: no verdict rests on it. images: as of `inspect`. light: a name, or a direction of which
        `afrd.views.under.picture_under` tells. Returns [C, H, W], uint8 or uint16, sRGB coded. Raises ModelError.
        """
        return picture_under(self._seen(images, "capture").images, self.lights, light, self.card.relighting)

    def _seen(self, images: np.ndarray, name: str, absent: Collection[int] = ()) -> Registered:
        """In the common form, registered by the lights that are not absent."""
        try:
            images = with_channels(np.asarray(images))
        except (ValueError, TypeError, RuntimeError) as error:
            raise ModelError(f"{name}: images are no array ({error})") from error
        self._require_images(images, name)
        images = as_decoded(images)
        imaging = self.card.imaging
        if imaging and (problem := imaging.problem(images)):
            raise ModelError(f"{name}: {problem[0]}; {problem[1]}")
        return imaging.see(images, absent) if imaging else Registered(images)

    def _inspect(self, seen: Registered | Capture, id: str, missing: Sequence[str]) -> Inspection:
        """seen: with images [N, C, H, W] in the common form."""
        images, name = seen.images, f"capture {id or 'without id'}"
        absent = self.missing_lights(missing)
        known = self.card.light_reference if self._checks_lights else None
        faults = known.check(images, absent, f"{name}: light check") if known else ()
        told = {*absent, *(fault.light for fault in faults)}  # of a dark light the trigger is not to blame as well
        faults = (*(LightFault(light, "shifted") for light in seen.moved if light not in told), *faults)
        trusted = trust(faults, absent, self._without, self.on_light_fault)
        faulty, imaging = {*absent, *(fault.light for fault in faults)}, self.card.imaging
        tiles = [self._fitting(tile, name) for tile in (imaging.cut(images, faulty) if imaging else [images])]
        anomaly_map, score, shares = self._judge(tiles, trusted.left_out, seen.region)
        if not all(np.isfinite(part).all() for part in (score, anomaly_map, shares)):
            raise ModelError(f"{name}: score {score}, map or light shares not finite; the model is broken, retrain it")
        evidence = self.card.capabilities.evidence
        rig = self.card.rig_reference if self._checks_lights and not absent else None
        deviations: np.ndarray | None = None
        threshold = self.threshold
        rig_notes = (*map(replaced_in_words, seen.replaced), *((CUT if seen.region else LOST,) if seen.lost else ()))
        if rig:
            measured = rig.measure(seen)
            deviations = rig.deviations(measured)
            rig_notes += rig.notes(measured, deviations)
            if self.card.threshold_unlike is not None and rig.unlike(deviations):
                threshold = self.card.threshold_unlike
        if trusted.left_out:
            threshold = self._without[trusted.left_out[0]]
        may_be_good = trusted.may_be_good and not seen.lost  # what was not looked at may hold a defect
        return Inspection(
            id=id,
            score=score,
            threshold=threshold,
            map=CoarseMap(anomaly_map, images.shape[-2:], seen.region, self.card.map_sigma),
            light_weights=self._weights_without(trusted.left_out) if evidence else shares,
            light_evidence=shares[0] if evidence else None,
            light_faults=faults,
            light_notes=light_faults_in_words(faults, self.lights.names, known.opposite() if known and faults else ()),
            left_out=trusted.left_out,
            rig_notes=rig_notes,
            rig_deviations=deviations,
            judged=trusted.may_be_anomalous if score > threshold else may_be_good,
            may_be_good=may_be_good,
        )

    def _judge(
        self, tiles: list[np.ndarray], left_out: Sequence[int], region: Region | MovedRegion | None
    ) -> tuple[np.ndarray, float, np.ndarray]:
        """The map at the model's scale, the score, and the light shares where the map is highest."""
        step = self._runtime.at_once
        batches = (tiles[i : i + step] for i in range(0, len(tiles), step))
        answers = [self._runtime.run(one[0][None] if len(one) == 1 else np.stack(one), left_out) for one in batches]
        answer = Answer(*map(np.concatenate, zip(*answers, strict=True)))
        imaging = self.card.imaging
        if not (imaging and (imaging.tiling or (imaging.alignment and family_of(self.card.fusion).scores_map))):
            return answer.anomaly_map[0], float(answer.score[0]), answer.light_weights[0]
        joined = imaging.join(answer.anomaly_map, region)
        return joined, score(joined, self.card.top_share), answer.light_weights[answer.score.argmax()]

    def _weights_without(self, left_out: Sequence[int]) -> np.ndarray:
        """[1, N], sums to 1: the weights that the model was trained with, of the lights that are looked at."""
        weights = np.array(self.card.lights.weights or (1,) * len(self.lights.names), np.float32)
        weights[list(left_out)] = 0
        return np.asarray(weights / weights.sum())[None]

    @property
    def can_leave_out(self) -> bool:
        """Whether a capture can be judged without one of its lights: by a run of a model that can."""
        return bool(self._without)

    def inspect_capture(self, capture: Capture, missing: Sequence[str] = ()) -> Inspection:
        """The same for a capture read from a data set.

        Raises DatasetError: lights of another rig or order, or pixels read otherwise than at training.
        """
        require_lights(capture.lights, self.lights, f"capture {capture.id}")
        read, trained = capture.imaging, self.card.imaging
        if read is None or trained is None:
            return self.inspect(capture.images, capture.id, missing)
        if read == trained:
            return self._inspect(capture, capture.id, missing)
        other = read.pixels != trained.pixels or not read.only_values
        if other or (capture.replaced and not trained.repairs):  # a pixel that this model was to see
            raise DatasetError(
                f"capture {capture.id}: read as {read}, the model was trained with {trained}; read it with "
                f"captures.read_as(inspector.imaging)"
            )
        if problem := trained.size_problem(capture.images):
            raise DatasetError(f"capture {capture.id}: {problem[0]}; {problem[1]}")
        seen = trained.see_common(capture.images, self.missing_lights(missing))
        return self._inspect(seen._replace(replaced=(*capture.replaced, *seen.replaced)), capture.id, missing)

    @property
    def imaging(self) -> Imaging | None:
        """As what captures are seen: see `CaptureSet.read_as`."""
        return self.card.imaging

    def missing_lights(self, missing: Sequence[str]) -> set[int]:
        """The lights of these names. Raises ModelError: none of that name, or more than this model can do without."""
        if not missing:
            return set()
        if unknown := [light for light in missing if light not in self.lights.names]:
            raise ModelError(f"missing light {unknown[0]}: this model has {', '.join(self.lights.names)}")
        absent = {self.lights.names.index(light) for light in missing}
        if len(absent) > 1 or not absent <= set(self._without):
            spare = ", ".join(self.lights.names[k] for k in self._without)
            others = " or ".join(able_to("leave_out"))
            able = f"one light at most, of {spare}" if spare else f"no light; use the run folder of --fusion {others}"
            raise ModelError(f"missing lights {', '.join(missing)}: this model can do without {able}")
        return absent

    def _require_images(self, images: np.ndarray, name: str) -> None:
        n, names = len(self.lights), ", ".join(self.lights.names)
        expected = f"expected [{n}, 3, H, W], or [{n}, H, W] for grey, one image per light: {names}"
        if images.ndim != 4 or len(images) != n or images.shape[1] not in CHANNELS or 0 in images.shape:
            raise ModelError(f"{name}: images of shape {list(images.shape)}; {expected}")
        if images.dtype not in (np.uint8, np.uint16):
            raise ModelError(f"{name}: images are {images.dtype}; expected uint8 or uint16")

    def _fitting(self, images: np.ndarray, name: str) -> np.ndarray:
        """As the runtime takes them."""
        wanted = self._runtime.input
        if wanted and wanted.channels > images.shape[1]:
            images = np.repeat(images, wanted.channels, axis=1)
        if wanted and wanted.channels < images.shape[1]:
            raise ModelError(
                f"{name}: colour images; this artefact was exported for grey ones: export it again with captures like "
                f"this one, or use the run folder, which takes both"
            )
        if wanted and (*images.shape[-2:], images.dtype) != (wanted.height, wanted.width, wanted.dtype):
            raise ModelError(
                f"{name}: images are {images.dtype} of {images.shape[-1]}×{images.shape[-2]}; this artefact was "
                f"exported for {wanted.dtype} of {wanted.width}×{wanted.height}: export it again with captures like "
                f"this one, or use the run folder, which takes any"
            )
        return np.ascontiguousarray(images) if wanted else images
