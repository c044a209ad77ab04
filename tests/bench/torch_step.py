"""The same network in PyTorch: run by an interpreter that has it, told by lines on standard input.

Its argument is a folder with segments.npz (inputs, skip, labels, as in `Batch`), weights.npz (as in `Weights`),
logits.npy and spec.json. It first prints how far its logits lie from these at most, then, for each line that it
reads, the CPU-seconds of one epoch.
"""

import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

Spec = Mapping[str, Any]
Arrays = Mapping[str, Any]
DENSE = ("attention_query", "attention_key", "attention_value", "attention_output", "head")


def build(spec: Spec, weights: Arrays) -> Any:
    """Layers with the given weights. PyTorch's gates stand in Keras' order; its second bias stays zero, untrained."""
    network = nn.ModuleDict({name: _dense(weights[f"{name}_kernel"], weights[f"{name}_bias"]) for name in DENSE})
    for number, units in enumerate(spec["units"]):
        kernel, recurrent, bias = (weights[f"lstm_{number}_{name}"] for name in ("kernel", "recurrent", "bias"))
        layer = nn.LSTM(len(kernel), units)
        with torch.no_grad():
            layer.weight_ih_l0.copy_(torch.from_numpy(kernel.T))
            layer.weight_hh_l0.copy_(torch.from_numpy(recurrent.T))
            layer.bias_ih_l0.copy_(torch.from_numpy(bias))
            layer.bias_hh_l0.zero_()
        layer.bias_hh_l0.requires_grad_(False)
        network[f"lstm_{number}"] = layer
    return network


def _dense(kernel: Any, bias: Any) -> Any:
    layer = nn.Linear(*kernel.shape)
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(kernel.T))
        layer.bias.copy_(torch.from_numpy(bias))
    return layer


def logits_of(network: Any, inputs: Any, spec: Spec, *, training: bool) -> Any:
    """(n_steps, n, n_features) -> logits (learned_steps, n, n_labels) of the steps behind the warm-up, no skip."""
    hidden, drop = inputs, spec["dropout"] if training else 0.0
    if training:
        hidden = _dropped(hidden + spec["input_noise"] * torch.randn_like(hidden), spec["input_dropout"])
    for number in range(len(spec["units"])):
        hidden, _ = network[f"lstm_{number}"](hidden)
        hidden = _dropped(hidden, drop)
    hidden = hidden.transpose(0, 1)
    scored = hidden[:, spec["warmup_steps"] :]
    query, keys, values = (network[f"attention_{name}"] for name in ("query", "key", "value"))
    mixed = nn.functional.scaled_dot_product_attention(
        query(scored), keys(hidden), values(hidden), attn_mask=_look_back(spec)
    )
    joined = torch.cat([scored, network["attention_output"](mixed)], dim=2)
    return network["head"](joined).transpose(0, 1)


def _dropped(hidden: Any, share: float) -> Any:
    """One mask for all steps of a sequence."""
    if not share:
        return hidden
    kept = (torch.rand(hidden.shape[1:]) >= share).to(hidden.dtype)
    return hidden * (kept / (1 - share))


def _look_back(spec: Spec) -> Any:
    steps = spec["warmup_steps"] + spec["learned_steps"]
    distance = torch.arange(spec["warmup_steps"], steps)[:, None] - torch.arange(steps)[None, :]
    return (distance >= 0) & (distance < spec["sequence_steps"])


def epoch_s(network: Any, optimizer: Any, segments: Arrays, spec: Spec) -> float:
    """CPU-seconds of forward, backward and Adam over all segments, in a new order."""
    start = time.process_time()
    count = segments["inputs"].shape[1]
    for rows in torch.randperm(count).split(spec["segments_per_step"]):
        optimizer.zero_grad(set_to_none=True)
        inputs, skip, labels = (segments[name][:, rows] for name in ("inputs", "skip", "labels"))
        logits = skip + logits_of(network, inputs, spec, training=True)
        known = torch.isfinite(labels)
        losses = nn.functional.binary_cross_entropy_with_logits(logits, labels.nan_to_num(), reduction="none")
        ((losses * known).sum() / known.sum().clamp(min=1)).backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
    return time.process_time() - start


def main() -> None:
    """Answers until standard input ends."""
    folder = Path(sys.argv[1])
    torch.set_num_threads(1)
    torch.manual_seed(0)
    spec: Spec = json.loads((folder / "spec.json").read_text(encoding="utf-8"))
    with np.load(folder / "segments.npz") as archive:
        segments = {name: torch.from_numpy(archive[name]) for name in archive.files}
    with np.load(folder / "weights.npz") as archive:
        network = build(spec, {name: archive[name] for name in archive.files})
    trained = [one for one in network.parameters() if one.requires_grad]
    optimizer = torch.optim.Adam(trained, lr=spec["learning_rate"], eps=1e-7)
    expected = np.load(folder / "logits.npy")
    with torch.no_grad():
        logits = logits_of(network, segments["inputs"][:, : expected.shape[1]], spec, training=False)
    print(float(np.abs(logits.numpy() - expected).max()), flush=True)
    for _ in sys.stdin:
        print(epoch_s(network, optimizer, segments, spec), flush=True)


if __name__ == "__main__":
    main()
