"""Mitsuba: found, set to a variant, and how many samples it takes. The scenes are in `stage`."""

from typing import NamedTuple

from afrd.errors import DatasetError, MissingExtraError

SCALAR, LLVM = "scalar_rgb", "llvm_ad_rgb"  # variants of Mitsuba
_LARGE = 1024  # pixels a side, from which a pixel takes fewer samples: they are what a large picture costs


def mitsuba(variant: str | None = None):
    """The renderer on one thread, since parts, not pixels, are shared between processes.

    variant: of Mitsuba, from now on; None: as it is, or scalar_rgb, which runs everywhere.
    Raises MissingExtraError; DatasetError: LLVM's library is not installed.
    """
    try:
        import mitsuba as mi
    except ImportError as error:
        raise MissingExtraError("mitsuba", "render") from error
    import drjit

    variant = variant or mi.variant() or SCALAR
    if variant == LLVM and not drjit.has_backend(drjit.JitBackend.LLVM):
        raise DatasetError(
            "--llvm: LLVM's library was not found; install it (Debian: libllvm19), name it in DRJIT_LIBLLVM_PATH, "
            "or render without --llvm"
        )
    if mi.variant() != variant:
        mi.set_variant(variant)
    mi.set_log_level(mi.LogLevel.Error)
    drjit.set_thread_count(1)
    return mi


class Samples(NamedTuple):
    """Of a pixel, under a spot, in the light box, and of what leads the denoiser."""

    spot: int = 6
    box: int = 9
    guide: int = 4


def samples_of(size: int) -> Samples:
    """size: side of the picture in pixels."""
    return Samples() if size < _LARGE else Samples(2, 3, 2)
