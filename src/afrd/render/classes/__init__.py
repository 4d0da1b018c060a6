"""One file a class of part: its shape, colours and material, and how they vary. Named as in Eyecandies."""

from afrd.render.candy import Candy
from afrd.render.classes.candy_cane import CandyCane
from afrd.render.classes.chocolate_cookie import ChocolateCookie
from afrd.render.classes.chocolate_praline import ChocolatePraline
from afrd.render.classes.confetto import Confetto
from afrd.render.classes.gummy_bear import GummyBear
from afrd.render.classes.hazelnut_truffle import HazelnutTruffle
from afrd.render.classes.licorice_sandwich import LicoriceSandwich
from afrd.render.classes.lollipop import Lollipop
from afrd.render.classes.marshmallow import Marshmallow
from afrd.render.classes.peppermint_candy import PeppermintCandy

_ALL = (
    CandyCane,
    ChocolateCookie,
    ChocolatePraline,
    Confetto,
    GummyBear,
    HazelnutTruffle,
    LicoriceSandwich,
    Lollipop,
    Marshmallow,
    PeppermintCandy,
)

CLASSES: dict[str, type[Candy]] = {candy.__name__: candy for candy in _ALL}
"""Every class by its name, which is its folder in a rendered data set."""
