"""SpikingJelly's ``ann2snn`` on the weights of a Keras file: prints what it gives as a line of JSON.

``PYTHON benchmarks/ann2snn.py MODEL.h5 --dataset fashion-mnist`` with a Python that has torch, spikingjelly, h5py; it
may be an environment of its own, without TensorFlow and snnc. ``accuracy.py`` calls it so. The model is built in torch
from the file's own description. A ReLU6 is a ``nn.ReLU`` whose output is cut at 6 while the converter looks: its
thresholds then stay below 6 and do the cutting, the best that ann2snn can have.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import datasets
import h5py
import numpy as np
import torch
from spikingjelly.activation_based import ann2snn, functional, neuron
from torch import nn

BATCH = 100
RECIPES = {
    "99.9 %": lambda shown: ann2snn.RateCodingRecipe(shown.split(BATCH), mode="99.9%"),
    "balanced": lambda shown: ann2snn.LocalThresholdBalancingRecipe(5 * shown.split(16)),
}
"""The converter's percentile rule for a layer, and local threshold balancing by channel (Bu et al. 2025).

Balanced thresholds grow with each batch that they see: three batches of a hundred leave them far too small.
"""


def relu(most=None):
    """Return the only activation that ann2snn converts, whose output may be cut."""
    layer = nn.ReLU()
    if most is not None:
        layer.register_forward_hook(lambda _, inputs, output: output.clamp(max=most))
    return layer


def tensor(values):
    return nn.Parameter(torch.from_numpy(np.ascontiguousarray(values)))


def padding(config, size):
    """Return what Keras's ``same`` adds in front of and behind an axis of this size; nothing for ``valid``."""
    if config["padding"] == "valid":
        return 0, 0
    kernel, stride = config["kernel_size"][0], config["strides"][0]
    total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


def convolution(config, weights, shape):
    """Return the layer for a convolution; kernels go from (*size, in, out) to (out, in, *size).

    ann2snn takes no layer that pads. Where Keras pads more behind than in front, the kernel gets zeros in front, and
    the layer pads as much on both sides.
    """
    axes, depthwise = len(shape) - 1, "depth_multiplier" in config
    kernel = weights["depthwise_kernel" if depthwise else "kernel"]
    kernel = np.moveaxis(kernel, (-2, -1), (0, 1)) if depthwise else np.moveaxis(kernel, (-1, -2), (0, 1))
    groups = shape[0] if depthwise else 1
    around = [padding(config, size) for size in shape[1:]]
    kernel = np.pad(kernel, [(0, 0), (0, 0), *((behind - front, 0) for front, behind in around)])
    kind = nn.Conv1d if axes == 1 else nn.Conv2d
    layer = kind(
        shape[0],
        len(kernel),
        kernel.shape[2:],
        config["strides"],
        padding=[behind for _, behind in around],
        groups=groups,
        bias=config["use_bias"],
    )
    layer.weight = tensor(kernel)
    if config["use_bias"]:
        layer.bias = tensor(weights["bias"])
    return [layer]


def batch_norm(config, weights, shape):
    kind = nn.BatchNorm1d if len(shape) == 2 else nn.BatchNorm2d
    layer = kind(shape[0], eps=config["epsilon"])
    layer.weight, layer.bias = tensor(weights["gamma"]), tensor(weights["beta"])
    layer.running_mean = torch.from_numpy(weights["moving_mean"])
    layer.running_var = torch.from_numpy(weights["moving_variance"])
    return [layer]


def dense(config, weights, shape):
    kernel = weights["kernel"]
    if len(shape) > 1:  # behind a Flatten: its rows run with the channels last, torch's with the channels first
        kernel = np.moveaxis(kernel.reshape(*shape[1:], shape[0], -1), -2, 0).reshape(len(kernel), -1)
    layer = nn.Linear(*kernel.shape)
    layer.weight, layer.bias = tensor(kernel.T), tensor(weights["bias"])
    return [layer]


def layers(kind, config, weights, shape):
    """Return a Keras layer as torch's."""
    if kind in ("Conv1D", "Conv2D", "DepthwiseConv2D"):
        made = convolution(config, weights, shape)
    elif kind == "Dense":
        made = dense(config, weights, shape)
    elif kind == "BatchNormalization":
        made = batch_norm(config, weights, shape)
    elif kind == "ReLU":
        return [relu(config["max_value"])]
    elif kind == "MaxPooling2D":
        made = [nn.MaxPool2d(config["pool_size"], config["strides"])]
    elif kind == "AveragePooling1D":
        made = [nn.AvgPool1d(config["pool_size"], config["strides"])]
    elif kind == "GlobalAveragePooling2D":
        made = [nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    elif kind == "Flatten":
        made = [nn.Flatten()]
    else:
        raise SystemExit(f"ann2snn: no torch layer for {kind}")
    return [*made, relu()] if config.get("activation") == "relu" else made


class FromKeras(nn.Module):
    """The network of a Keras ``.h5`` file of a functional model, channels first."""

    def __init__(self, path):
        super().__init__()
        self.steps, shapes, shown = [], {}, {}
        with h5py.File(path) as file:
            described = json.loads(file.attrs["model_config"])["config"]["layers"]
            for layer in described:
                kind, config, name = layer["class_name"], layer["config"], layer["config"]["name"]
                sources = [node[0] for node in layer["inbound_nodes"][0]] if layer["inbound_nodes"] else []
                if kind == "InputLayer":
                    shapes[name] = shown[name] = (1, *config["batch_input_shape"][1:3])
                    continue
                shape = shapes[sources[0]]
                if kind == "Reshape":  # rows of pixels, which are the channels; ``turned`` turns the images
                    shapes[name] = tuple(reversed(config["target_shape"]))
                elif kind == "Add":
                    shapes[name] = shape
                else:
                    group = file["model_weights"][name]
                    weights = {
                        str(key).split("/")[-1].split(":")[0]: group[key][()] for key in group.attrs["weight_names"]
                    }
                    part = nn.Sequential(*layers(kind, config, weights, shape))
                    self.add_module(name, part)
                    # a Flatten hands on the shape that it had, from which ``dense`` takes the order of the rows
                    shapes[name] = shape if kind == "Flatten" else self.after(part, shape, kind)
                self.steps.append((name, kind, sources))
        self.eval()

    @staticmethod
    def after(part, shape, kind):
        if kind == "Dense":
            return (part[0].out_features,)
        with torch.no_grad():
            return tuple(part.eval()(torch.zeros(1, *shape)).shape[1:])

    def forward(self, x):
        made, last = {}, x
        for name, kind, sources in self.steps:
            inputs = [made.get(source, x) for source in sources]
            if kind == "Add":
                last = inputs[0] + inputs[1]
            elif kind == "Reshape":
                last = inputs[0]
            else:
                last = getattr(self, name)(inputs[0])
            made[name] = last
        return last


def turned(x, network):
    """Return images ``(n, 28, 28, 1)`` as the network takes them."""
    rows = any(kind == "Reshape" for _, kind, _ in network.steps)
    return torch.from_numpy(np.ascontiguousarray(x[..., 0].transpose(0, 2, 1) if rows else x.transpose(0, 3, 1, 2)))


@torch.no_grad()
def spiking(network, x, steps):
    """Return (classes of the mean of the first 1, 2, … steps, spikes a neuron by step) of a converted network."""
    nodes = [m for m in network.modules() if isinstance(m, neuron.BaseNode)]
    fired, neurons = np.zeros(steps), [0] * len(nodes)
    now = 0

    def count(k):
        def hook(_, inputs, output):
            fired[now] += float(output.abs().sum())
            neurons[k] = output[0].numel()

        return hook

    for k, node in enumerate(nodes):
        node.register_forward_hook(count(k))
    chosen = np.zeros((len(x), steps), np.int64)
    for start in range(0, len(x), BATCH):
        functional.reset_net(network)
        total = 0
        for now in range(steps):
            total = total + network(x[start : start + BATCH])
            chosen[start : start + BATCH, now] = total.argmax(-1).numpy()
    return chosen, np.cumsum(fired) / len(x) / sum(neurons)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--dataset", choices=sorted(datasets.HOW), default="fashion-mnist")
    parser.add_argument("--data", type=Path)
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--calibration", type=int, default=256)
    parser.add_argument("--steps", type=int, nargs="+", default=[16])
    options = parser.parse_args()
    torch.set_num_threads(1)  # others wait in busy loops, which processor time would count
    data = datasets.images(options.dataset, options.data)
    x, y = data["x_test"][: options.images], data["y_test"][: options.images]
    model = FromKeras(options.model)
    x, shown = turned(x, model), turned(data["x_train"][: options.calibration], model)
    with torch.no_grad():
        said = model(x).argmax(-1).numpy()
    found = {"model_accuracy": float(np.mean(said == y)), "recipes": {}}
    for name, recipe in RECIPES.items():
        start = time.process_time()
        converted = ann2snn.Converter(recipe(shown)).convert(FromKeras(options.model))
        seconds = time.process_time() - start
        chosen, spikes = spiking(converted, x, max(options.steps))
        found["recipes"][name] = {
            "seconds": seconds,
            "steps": {
                str(t): {
                    "accuracy": float(np.mean(chosen[:, t - 1] == y)),
                    "agreement": float(np.mean(chosen[:, t - 1] == said)),
                    "spikes_a_neuron": float(spikes[t - 1]),
                }
                for t in options.steps
            },
        }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
