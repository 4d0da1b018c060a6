"""Where an eager inspection spends its time: shares by kind of operation, from torch's profiler."""

from collections import Counter

import torch
from benchmarks.speed.measure import Call
from torch.profiler import ProfilerActivity, profile

KINDS = {
    "convolutions and products": ("mkldnn_convolution", "thnn_conv", "convolution", "mm", "addmm", "bmm", "linear"),
    "activations": ("relu", "relu_", "clamp", "clamp_", "clamp_min", "clamp_min_", "hardtanh", "hardtanh_", "relu6"),
    "sums of branches": ("add", "add_"),
    "copies": ("copy_", "cat", "clone", "contiguous", "empty", "empty_strided", "resize_"),
    "batch norms": ("batch_norm", "native_batch_norm"),
    "resampling and smoothing": ("upsample_bilinear2d", "avg_pool2d", "reflection_pad2d", "max_pool2d_with_indices"),
}


def shares(call: Call, repeats: int = 3) -> dict[str, float]:
    """Share of the operators' own time on the processor, by kind; sums to 1."""
    call()
    with profile(activities=[ProfilerActivity.CPU]) as profiler, torch.inference_mode():
        for _ in range(repeats):
            call()
    time: Counter[str] = Counter()
    for event in profiler.key_averages():
        name = event.key.removeprefix("aten::")
        kind = next((kind for kind, names in KINDS.items() if name in names), "everything else")
        time[kind] += event.self_cpu_time_total
    return {kind: spent / time.total() for kind, spent in time.most_common()}
