"""Parts of grey noise under four lights, of which it is known which one shows the defect; and a small joint model."""

import numpy as np

from afrd import TrainConfig
from captures import write_image

LIGHTS, SIZE = ("a", "b", "c", "d"), 64
JOINT = TrainConfig(fusion="joint", image_size=SIZE, painting={"pairs": 20}, disturbing={"captures": 4}, folds=0)


def write_parts(root, counts, seed=0):
    """Grey noise under four lights; d is c twice as bright, and a defect is to be seen under light b alone."""
    rng = np.random.default_rng(seed)
    for split, label, count in counts:
        for i in range(count):
            texture = rng.normal(0, 6, (3, SIZE // 2, SIZE // 2)).repeat(2, 1).repeat(2, 2)
            images = dict(zip("abc", 90 + texture, strict=True))
            images["d"] = 2 * images["c"]
            if label != "good":
                y, x = rng.integers(12, SIZE - 24, 2)
                images["b"][y : y + 12, x : x + 12] += 60
            for light, image in images.items():
                write_image(root / split / label / f"{i:02d}" / f"{light}.png", image.clip(0, 255).astype(np.uint8))
