"""Keras files written by hand, so that the tests need no Keras: configs of both generations, both weight layouts."""

from __future__ import annotations

import io
import json
import zipfile

import h5py
import numpy as np


def layer(class_name, name, inbound=(), **config):
    """Return a layer's document; ``inbound`` are calls, each a list of (layer, node, index) in the form of Keras 2."""
    nodes = [[[*ref, {}] for ref in call] for call in inbound]
    return {"class_name": class_name, "name": name, "config": {"name": name, **config}, "inbound_nodes": nodes}


def source(name, *shape):
    """Return an input layer of a functional model."""
    return layer("InputLayer", name, batch_input_shape=[None, *shape])


def dense(name, units, inbound=(), **config):
    return layer("Dense", name, inbound, units=units, **config)


def norm(name, inbound=(), **config):
    return layer("BatchNormalization", name, inbound, axis=[-1], epsilon=1e-3, **config)


def sequential(*layers, name="sequential", **config):
    return {"class_name": "Sequential", "name": name, "config": {"name": name, "layers": list(layers), **config}}


def functional(inputs, outputs, *layers, name="model", inbound=()):
    config = {"name": name, "layers": list(layers), "input_layers": inputs, "output_layers": outputs}
    nodes = [[[*ref, {}] for ref in call] for call in inbound]
    return {"class_name": "Functional", "name": name, "config": config, "inbound_nodes": nodes}


def keras3_node(*args, **kwargs):
    """Return a call in the form of Keras 3; a tuple (layer, node, index) among the arguments is a tensor."""

    def encode(value):
        if isinstance(value, tuple):
            return {"class_name": "__keras_tensor__", "config": {"shape": [], "keras_history": list(value)}}
        return [encode(v) for v in value] if isinstance(value, list) else value

    return {"args": [encode(a) for a in args], "kwargs": {k: encode(v) for k, v in kwargs.items()}}


def write_h5(path, document, weights, version="2.12.0", root="model_weights", split=0):
    """Write the older layout; ``weights`` are arrays by weight name by layer name. Return the path.

    With ``split``, the lists of names are cut into attributes of that many, as Keras does with long ones.
    """
    with h5py.File(path, "w") as file:
        if document is not None:
            file.attrs["model_config"] = json.dumps(document).encode()
        if version is not None:
            file.attrs["keras_version"] = version.encode()
        group = file.create_group(root) if root else file
        _names(group, "layer_names", list(weights), split)
        for name, arrays in weights.items():
            own = group.create_group(name)
            _names(own, "weight_names", list(arrays), split)
            for weight, array in arrays.items():
                own.create_dataset(weight, data=array)
    return path


def _names(group, attribute, names, split):
    if not split or len(names) <= split:
        group.attrs[attribute] = np.array([n.encode() for n in names])
        return
    for k in range(0, len(names), split):
        group.attrs[f"{attribute}{k // split}"] = np.array([n.encode() for n in names[k : k + split]])


def by_class(groups, names=()):
    """Return the bytes of a weights file in the newer layout: lists of arrays by group, such as ``layers/dense``."""
    stream = io.BytesIO()
    with h5py.File(stream, "w") as file:
        for group, arrays in groups.items():
            place = file.create_group(f"{group}/vars")
            for k, array in enumerate(arrays):
                place.create_dataset(str(k), data=array)
        for group, name in dict(names).items():
            file[f"{group}/vars"].attrs["name"] = name
    return stream.getvalue()


def write_zip(path, document, groups, version="3.3.3", names=(), compression=zipfile.ZIP_STORED):
    """Write a ``.keras`` archive; return the path."""
    weights = groups if isinstance(groups, bytes) else by_class(groups, names)
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("metadata.json", json.dumps({"keras_version": version}))
        archive.writestr("config.json", json.dumps(document))
        archive.writestr("model.weights.h5", weights)
    return path


def kernel(rng, *shape):
    return rng.normal(size=shape).astype(np.float32)


def small(rng, path, **fields):
    """Write a model of one dense layer of 3 inputs and 2 units in the older layout; return (path, kernel, bias)."""
    w, b = kernel(rng, 3, 2), kernel(rng, 2)
    document = sequential(dense("dense", 2, batch_input_shape=[None, 3], **fields))
    return write_h5(path, document, {"dense": {"dense/kernel:0": w, "dense/bias:0": b}}), w, b
