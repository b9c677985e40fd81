"""Operators on tensors of Keras 2 (functions of TensorFlow) and Keras 3 (``keras.ops``), each against Keras itself."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from snnc.errors import FrontendError
from tests.frontend.against_live_keras import agree, generation
from tests.frontend.loading import import_model, relative_error

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # TensorFlow's own

R = np.random.default_rng(3)


def array(*shape):
    return R.normal(size=shape).astype(np.float32)


W = array(6, 5)
OF_KERAS_2 = {
    # x, z (4, 6) and image (6, 8, 4); each gives a tensor or several
    "shape reshape": lambda tf, x, z, i: tf.reshape(x, (tf.shape(x)[0], tf.shape(x)[1] * tf.shape(x)[2])),
    "shape unstacked": lambda tf, x, z, i: tf.reshape(i, tf.stack([tf.unstack(tf.shape(i))[0], -1, 4])),
    "shape concatenated": lambda tf, x, z, i: tf.reshape(x, tf.concat([tf.shape(x)[:1], [2, 12]], 0)),
    "batch flatten": lambda tf, x, z, i: tf.keras.backend.batch_flatten(i),
    "root of a size": lambda tf, x, z, i: x / tf.sqrt(tf.cast(tf.shape(x)[-1], tf.float32)),
    "range of a size": lambda tf, x, z, i: x + tf.cast(tf.range(tf.shape(x)[2]), tf.float32)[None, None, :],
    "tiled constant": lambda tf, x, z, i: tf.concat([tf.tile(tf.ones((1, 1, 6)), [tf.shape(x)[0], 1, 1]), x], 1),
    "filled": lambda tf, x, z, i: tf.concat([tf.fill([tf.shape(x)[0], 2, 6], 0.5), x], 1),
    "zeros": lambda tf, x, z, i: tf.concat([x, tf.zeros((tf.shape(x)[0], 4, 1))], 2),
    "slice to a size": lambda tf, x, z, i: x[:, : tf.shape(z)[1] // 2],
    "broadcast to": lambda tf, x, z, i: tf.broadcast_to(x[:, :1], tf.shape(z)),
    "max_pool2d": lambda tf, x, z, i: tf.nn.max_pool2d(i, 2, 2, "VALID"),
    "max_pool": lambda tf, x, z, i: tf.nn.max_pool(i, [1, 3, 2, 1], [1, 2, 2, 1], "SAME"),
    "avg_pool2d": lambda tf, x, z, i: tf.nn.avg_pool2d(i, (3, 2), (2, 1), "SAME"),
    "max_pool1d": lambda tf, x, z, i: tf.nn.max_pool1d(x, 2, 1, "SAME"),
    "pool": lambda tf, x, z, i: tf.nn.pool(i, (2, 2), "AVG", padding="VALID"),
    "pool2d of the backend": lambda tf, x, z, i: tf.keras.backend.pool2d(i, (2, 2), (2, 2), pool_mode="max"),
    "conv2d": lambda tf, x, z, i: tf.nn.conv2d(i, array(3, 2, 4, 5), 2, "SAME"),
    "conv2d, explicit": lambda tf, x, z, i: tf.nn.conv2d(i, array(3, 3, 4, 5), 1, [[0, 0], [1, 0], [2, 1], [0, 0]]),
    "conv2d, grouped": lambda tf, x, z, i: tf.nn.conv2d(i, array(3, 3, 2, 6), 1, "VALID"),
    "conv1d": lambda tf, x, z, i: tf.nn.conv1d(x, array(2, 6, 3), 1, "VALID", dilations=2),
    "convolution": lambda tf, x, z, i: tf.nn.convolution(i, array(2, 2, 4, 3), padding="SAME"),
    "conv2d of the backend": lambda tf, x, z, i: tf.keras.backend.conv2d(i, tf.constant(array(2, 2, 4, 3))),
    "depthwise_conv2d": lambda tf, x, z, i: tf.nn.depthwise_conv2d(i, array(3, 3, 4, 2), [1, 1, 1, 1], "SAME"),
    "separable_conv2d": lambda tf, x, z, i: tf.nn.separable_conv2d(
        i, array(3, 3, 4, 2), array(1, 1, 8, 3), [1, 1, 1, 1], "VALID"
    ),
    "conv2d_transpose": lambda tf, x, z, i: tf.nn.conv2d_transpose(
        i, array(3, 3, 2, 4), [tf.shape(i)[0], 12, 16, 2], 2, "SAME"
    ),
    "conv2d_transpose, odd": lambda tf, x, z, i: tf.nn.conv2d_transpose(
        i, array(2, 3, 2, 4), [tf.shape(i)[0], 13, 17, 2], 2, "VALID"
    ),
    "space_to_depth": lambda tf, x, z, i: tf.nn.space_to_depth(i, 2),
    "depth_to_space": lambda tf, x, z, i: tf.nn.depth_to_space(i, 2),
    "extract_patches": lambda tf, x, z, i: tf.image.extract_patches(
        i, [1, 3, 2, 1], [1, 2, 2, 1], [1, 1, 2, 1], "SAME"
    ),
    "where": lambda tf, x, z, i: tf.where(x > 0.2, x, z * 2.0),
    "where, constants": lambda tf, x, z, i: tf.where(tf.logical_and(x >= z, z < 1.0), 0.0, tf.ones_like(x) * 3.0),
    "comparisons": lambda tf, x, z, i: [
        tf.cast(c, tf.float32)
        for c in (
            *(x > z, x <= z, x < 0.3, tf.equal(tf.round(x), 0.0), tf.not_equal(tf.round(x), tf.round(z))),
            *(tf.logical_not(x > 0.0), tf.math.logical_xor(x > 0.0, z > 0.0), tf.math.is_nan(x), tf.math.is_finite(z)),
        )
    ],
    "gather": lambda tf, x, z, i: tf.gather(x, [3, 0, 0], axis=1),
    "gather, shaped": lambda tf, x, z, i: tf.gather(x, [[3, 0], [1, 5]], axis=-1),
    "gather, one": lambda tf, x, z, i: tf.gather(x, 2, axis=1),
    "gather by argsort": lambda tf, x, z, i: tf.gather(x, tf.argsort(x[..., 0], axis=1), axis=1, batch_dims=1),
    "lookup": lambda tf, x, z, i: tf.gather(W, tf.cast(tf.abs(x), tf.int32)),
    "std and others": lambda tf, x, z, i: [
        *(tf.math.reduce_std(x, axis=1), tf.math.reduce_variance(i, axis=[1, 2], keepdims=True)),
        *(tf.reduce_prod(x, axis=-1), tf.reduce_logsumexp(x, axis=1), tf.norm(x, axis=-1, keepdims=True)),
        *(tf.norm(x, ord=1, axis=1), tf.norm(x, ord=np.inf, axis=2), tf.reduce_all(x > -1.0, axis=1)),
        *tf.nn.moments(i, [1, 2]),
    ],
    "cumulative": lambda tf, x, z, i: [
        *(tf.cumsum(x, axis=1), tf.cumsum(x, axis=2, exclusive=True), tf.cumsum(x, axis=2, reverse=True)),
        *(tf.math.cumprod(x, axis=1), tf.math.cumprod(x, axis=2, reverse=True)),
    ],
    "argmax": lambda tf, x, z, i: [tf.cast(f(tf.round(x), axis=2), tf.float32) for f in (tf.argmax, tf.argmin)],
    "sorted": lambda tf, x, z, i: [tf.sort(x, axis=1, direction="DESCENDING"), *tf.math.top_k(x, 3)[:1]],
    "top_k of softmax": lambda tf, x, z, i: tf.math.top_k(tf.nn.softmax(x), k=2).values,
    "one_hot": lambda tf, x, z, i: [
        tf.one_hot(tf.argmax(x, axis=1), 5, on_value=2.0, off_value=-1.0),
        tf.one_hot(tf.argmax(x, axis=1), 5, axis=1),
    ],
    "pads": lambda tf, x, z, i: [
        tf.pad(i, [[0, 0], [2, 1], [1, 1], [0, 0]], "REFLECT"),
        tf.pad(i, [[0, 0], [2, 1], [0, 0], [1, 2]], "SYMMETRIC"),
        tf.pad(x, [[0, 0], [1, 0], [0, 2]], constant_values=1.5),
    ],
    "crelu": lambda tf, x, z, i: tf.nn.crelu(x),
    "roll": lambda tf, x, z, i: tf.roll(i, [1, -3], axis=[1, 2]),
    "linspace": lambda tf, x, z, i: x * tf.linspace(0.0, 1.0, 6),
    "band_part": lambda tf, x, z, i: [tf.linalg.band_part(x, -1, 0), tf.linalg.band_part(x, 1, 2)],
    "diagonals": lambda tf, x, z, i: [tf.linalg.diag_part(x), tf.linalg.diag(x), tf.linalg.trace(x)],
    "floor and mod": lambda tf, x, z, i: [x // 0.5, x % 0.5, tf.math.floordiv(x, z), tf.math.mod(x, z), 1.0 // x],
    "functions": lambda tf, x, z, i: [
        *(
            getattr(tf.math, n)(x)
            for n in ("sin", "cos", "tan", "sinh", "cosh", "atan", "asinh", "erf", "sign", "rint")
        ),
        *(tf.math.asin(tf.tanh(x)), tf.math.acosh(1.1 + x * x), tf.math.erfc(x), tf.math.log_sigmoid(x)),
        *(tf.math.atan2(x, z), tf.math.squared_difference(x, z), tf.math.divide_no_nan(x, tf.nn.relu(z))),
        *(tf.math.xlogy(x, tf.exp(z)), tf.pow(tf.exp(x), z), 2.0**x, tf.math.erfinv(tf.tanh(x) * 0.9)),
        tf.cast(x * 3.0, tf.int32),
    ],
    "tensordot": lambda tf, x, z, i: [tf.tensordot(x, W, 1), tf.tensordot(i, array(8, 4, 3), [[2, 3], [0, 1]])],
    "matmuls": lambda tf, x, z, i: [
        *(tf.matmul(x, z, transpose_a=True), tf.matmul(array(3, 4), x), tf.matmul(x, array(2, 6), transpose_b=True)),
        *(tf.linalg.matvec(x, z[:, 0]), tf.matmul(i, array(6, 4, 3))),
        tf.keras.backend.batch_dot(x, z, axes=2),
    ],
    "einsums": lambda tf, x, z, i: [
        tf.reshape(tf.einsum("bij,jk->bik", x, W), (-1, 20)),
        tf.einsum("bij,bkj->bik", x, z),
        tf.einsum("bij->bji", x),
        tf.einsum("...ij,jk", x, W),
    ],
    "slices": lambda tf, x, z, i: [tf.slice(x, [0, 1, 2], [-1, 2, -1]), x[:, ::-1, tf.newaxis, 2:]],
    "flips": lambda tf, x, z, i: [tf.reverse(x, [1, 2]), tf.image.flip_left_right(i), tf.image.flip_up_down(i)],
    "images": lambda tf, x, z, i: [
        *(getattr(tf.image, f"rgb_to_{name}")(i[..., :3]) for name in ("grayscale", "yiq", "yuv")),
        *(tf.image.yuv_to_rgb(i[..., :3]), tf.image.adjust_contrast(i, 0.5), tf.image.adjust_brightness(i, 0.2)),
        *(tf.image.per_image_standardization(i), tf.image.transpose(i), tf.image.central_crop(i, 0.5)),
        *(tf.image.adjust_gamma(tf.abs(i), 0.7, 2.0), tf.nn.local_response_normalization(i, 1, 2.0, 0.3, 0.75)),
        tf.image.convert_image_dtype(i, tf.float32),
    ],
    "batch_normalization": lambda tf, x, z, i: tf.nn.batch_normalization(
        i, array(4), np.float32([1, 2, 3, 4]), array(4), array(4), 1e-3
    ),
    "activations of keras": lambda tf, x, z, i: [
        *(getattr(tf.keras.activations, n)(x) for n in ("gelu", "hard_sigmoid", "swish", "softsign", "exponential")),
        *(tf.keras.activations.relu(x, alpha=0.1, max_value=1.0, threshold=0.2), tf.keras.activations.elu(x, 0.5)),
        *(tf.keras.activations.selu(x), tf.keras.activations.softmax(x, axis=1), tf.keras.activations.gelu(x, True)),
    ],
    "the backend": lambda tf, x, z, i: [
        *(getattr(tf.keras.backend, n)(x, axis=1) for n in ("std", "var", "prod", "cumsum", "any", "all")),
        *(tf.keras.backend.l2_normalize(x, 1), tf.keras.backend.permute_dimensions(x, (0, 2, 1))),
        *(tf.keras.backend.switch(x > 0.0, x, z), tf.keras.backend.spatial_2d_padding(i), tf.keras.backend.sum(x, 1)),
        *(
            tf.keras.backend.repeat_elements(x, 2, 1),
            tf.keras.backend.clip(x, -0.5, 0.5),
            tf.keras.backend.stack([x, z], 1),
        ),
        *(tf.keras.backend.squeeze(x[:, :1], 1), tf.keras.backend.expand_dims(x), tf.keras.backend.sqrt(tf.abs(x))),
    ],
}
OF_KERAS_3 = {
    "pools": lambda o, x, z, i: [
        *(
            o.max_pool(i, 2, strides=2),
            o.max_pool(i, (3, 2), strides=(2, 1), padding="same"),
        ),
        *(o.average_pool(i, 3, strides=2),),
    ],
    "adaptive pools": lambda o, x, z, i: [
        *(o.adaptive_average_pool(i, (3, 4)), o.adaptive_average_pool(i, (4, 3)), o.adaptive_max_pool(i, (2, 4))),
    ],
    "convolutions": lambda o, x, z, i: [
        *(o.conv(i, array(3, 2, 4, 5), strides=2, padding="same"), o.conv(x, array(2, 6, 3), dilation_rate=2)),
        o.depthwise_conv(i, array(3, 3, 4, 2)),
        o.separable_conv(i, array(3, 3, 4, 2), array(1, 1, 8, 3), padding="same"),
    ],
    "blocks": lambda o, x, z, i: [o.space_to_depth(i, 2), o.depth_to_space(i, 2)],
    "image": lambda o, x, z, i: [
        *(o.image.extract_patches(i, (3, 2), strides=(2, 2)), o.image.extract_patches(i, 2, padding="same")),
        o.image.rgb_to_grayscale(i[..., :3]),
    ],
    "where": lambda o, x, z, i: [
        *(
            o.where(x > 0.2, x, z * 2.0),
            o.where(o.logical_and(x >= z, z < 1.0), 0.0, x),
            o.where(x > 0, x, array(4, 6)),
        ),
    ],
    "comparisons": lambda o, x, z, i: [
        o.cast(c, "float32")
        for c in (
            *(x > z, x <= z, x < 0.3, o.equal(o.round(x), 0.0), o.not_equal(o.round(x), o.round(z))),
            *(o.logical_not(x > 0.0), o.logical_xor(x > 0, z > 0), o.isnan(x), o.isfinite(z), o.isinf(x)),
            *(o.logical_or(x, z > 0), o.isclose(x, x + 1e-7), o.any(x > 1, axis=1), o.all(x, axis=2), o.signbit(x)),
        )
    ],
    "take": lambda o, x, z, i: [
        *(o.take(x, [3, 0, 0], axis=1), o.take(x, [[3, 0], [-1, 5]], axis=-1), o.take(x, 2, axis=1)),
        *(o.take(W, o.cast(o.abs(x), "int32"), axis=0), o.take(array(9), o.cast(o.abs(x), "int32"), axis=0)),
    ],
    "take_along_axis": lambda o, x, z, i: [
        *(o.take_along_axis(x, o.argsort(z, axis=1), axis=1), o.take_along_axis(x, o.argmax(z, 2, keepdims=True), 2)),
        o.take_along_axis(x, np.array([[[1], [0], [5], [2]]]), axis=2),
    ],
    "reductions": lambda o, x, z, i: [
        *(
            getattr(o, n)(x, axis=1)
            for n in ("std", "var", "prod", "logsumexp", "median", "ptp", "amax", "amin", "mean")
        ),
        *(o.count_nonzero(o.relu(x), axis=2), o.std(i, axis=(1, 2), keepdims=True), o.median(x, axis=2, keepdims=True)),
        *(o.layer_normalization(x, array(6), array(6)), o.rms_normalization(i, axis=(1, 2))),
        *(*o.moments(i, axes=(1, 2)), o.average(x, axis=1)),
    ],
    "cumulative": lambda o, x, z, i: [
        o.cumsum(x, axis=1),
        o.cumsum(x, axis=2),
        o.cumprod(x, axis=1),
        o.diff(x, 2, axis=1),
    ],
    "places": lambda o, x, z, i: [
        *(o.argmax(o.round(x), axis=2), o.argmin(x, axis=1), o.argmax(x, axis=1, keepdims=True), o.sort(x, axis=1)),
        *(o.argsort(x, axis=1), *o.top_k(x, 3)),
    ],
    "normalize": lambda o, x, z, i: [o.normalize(x), o.normalize(x, axis=1, order=3), o.normalize(x, order=1)],
    "codes": lambda o, x, z, i: [
        *(o.searchsorted(np.float32([-1, 0, 0.5]), x), o.select([x > 1, x > 0], [z, 2.0 * x], 0.5)),
        *(o.one_hot(o.argmax(x, axis=1), 5), o.one_hot(o.argmax(x, axis=1), 5, axis=1)),
        *(o.multi_hot(o.argmax(x, axis=1), 5), o.digitize(x, np.float32([-1, 0, 0.5]))),
    ],
    "pads": lambda o, x, z, i: [
        *(o.pad(i, [[0, 0], [2, 1], [1, 1], [0, 0]], mode=m) for m in ("reflect", "symmetric")),
        o.pad(x, [[0, 0], [1, 0], [0, 2]], constant_values=1.5),
    ],
    "moves": lambda o, x, z, i: [
        *(o.roll(i, 2, axis=1), o.roll(i, (1, -3), axis=(1, 2)), o.moveaxis(i, 1, 3), o.moveaxis(i, (1, 2), (-1, 1))),
        *(o.rot90(i, k, axes=(1, 2)) for k in (1, 2, 3)),
        *(o.fliplr(x), o.flip(x, (1, 2))),
        *(o.hstack([x, z]), o.dstack([x, z]), o.append(x, z, axis=1), *o.array_split(x, 4, axis=2), *o.hsplit(x, 2)),
    ],
    "triangles": lambda o, x, z, i: [
        *(o.tril(x), o.triu(x, k=1), o.tril(i, k=-1), o.diagonal(x, axis1=1, axis2=2), o.trace(x, 1, axis1=1, axis2=2)),
        o.diagonal(i, offset=-1, axis1=1, axis2=2),
    ],
    "like": lambda o, x, z, i: [o.full_like(x, 2.5) + x, o.zeros_like(x) + z, o.ones_like(x) * z],
    "floor and mod": lambda o, x, z, i: [o.floor_divide(x, 0.5), o.mod(x, 0.5), x // z, x % z, 1.0 // x, o.fmod(x, z)],
    "functions": lambda o, x, z, i: [
        *(getattr(o, n)(x) for n in ("sin", "cos", "tan", "sinh", "cosh", "arctan", "arcsinh", "erf", "sign", "exp2")),
        *(
            getattr(o, n)(x)
            for n in ("trunc", "cbrt", "sinc", "deg2rad", "rad2deg", "nan_to_num", "negative", "square")
        ),
        *(o.arcsin(o.tanh(x)), o.arccosh(1.1 + x * x), o.log2(o.exp(x)), o.log10(1 + x * x), o.round(x, 1)),
        *(o.arctan2(x, z), o.divide_no_nan(x, o.relu(z)), o.logaddexp(x, z), o.hypot(x, z), o.power(o.exp(x), z)),
        *(o.power(2.0, x), o.heaviside(x, z), o.erfinv(o.tanh(x) * 0.9), o.cast(x * 3, "int32"), o.real(x)),
        *(o.maximum(x, array(4, 6)), o.minimum(array(6), x), o.fmax(x, z) if hasattr(o, "fmax") else x),
    ],
    "activations": lambda o, x, z, i: [
        *(getattr(o, n)(2 * x) for n in ("celu", "hard_tanh", "log_sigmoid", "squareplus", "sparse_plus", "sparsemax")),
        *(getattr(o, n)(2 * x) for n in ("soft_shrink", "hard_shrink", "tanh_shrink", "glu", "sparse_sigmoid", "silu")),
        *(o.threshold(x, 0.3, -1.0), o.celu(x, 0.5), o.glu(i, axis=1), o.sparsemax(x, axis=1), o.hard_shrink(x, 0.2)),
        *(o.softmax(x, axis=(1, 2)), o.softmax(i, axis=(1, 3)), o.gelu(x, approximate=False)),
    ],
    "products": lambda o, x, z, i: [
        *(o.tensordot(x, W, 1), o.tensordot(i, array(8, 4, 3), [[2, 3], [0, 1]]), o.dot(x, W), o.inner(x, array(3, 6))),
        *(
            o.matmul(array(3, 4), x),
            o.matmul(i, array(6, 4, 3)),
            o.matmul(x, array(6)),
            x @ W,
            o.cross(x[..., :3], z[..., 3:]),
        ),
    ],
    "einsums": lambda o, x, z, i: [
        *(
            o.einsum("bij,jk->bik", x, W),
            o.einsum("bij,bkj->bik", x, z),
            o.einsum("bij->bji", x),
            o.einsum("bij->b", x),
        ),
        *(
            o.einsum("...ij,jk", x, W),
            o.einsum("bij,ij->bj", x, array(4, 6)),
            o.einsum("bhwc,hcd->bwhd", i, array(6, 4, 3)),
        ),
        *(o.einsum("bij,bij,bkj->bk", x, z, x), o.einsum("bhwc,wc,cd->bhd", i, array(8, 4), array(4, 2))),
        *(o.einsum("bij,bjk,kl->bil", x, o.swapaxes(z, 1, 2), array(4, 2)), o.einsum("biic->bc", i[:, :, :6])),
    ],
}


def build(keras, make, namespace):
    x, z, image = keras.Input((4, 6)), keras.Input((4, 6)), keras.Input((6, 8, 4))
    outputs = make(namespace, x, z, image)
    outputs = list(outputs) if isinstance(outputs, (list, tuple)) else [outputs]
    used = [x * 1.0, z * 1.0, image * 1.0]  # an input that nothing reads is not of the model
    return keras.Model([x, z, image], [*outputs, *used])


@pytest.mark.parametrize("name", OF_KERAS_2)
def test_a_function_of_tensorflow(keras, rng, name, tmp_path):
    if generation(keras) == 3:
        pytest.skip("these are of TensorFlow and Keras 2")
    import tensorflow as tf

    model = build(keras, OF_KERAS_2[name], tf)
    live = agree(model, rng, tolerance=3e-5 if name == "functions" else 1e-5)
    if name != "einsums":  # Keras 2 does not write down what these read
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model.save(tmp_path / "m.h5")
        assert import_model(tmp_path / "m.h5") == live


@pytest.mark.parametrize("name", OF_KERAS_3)
def test_an_operator_of_keras_3(keras, rng, name, tmp_path):
    if generation(keras) == 2:
        pytest.skip("these are of Keras 3")
    model = build(keras, OF_KERAS_3[name], keras.ops)
    live = agree(model, rng, tolerance=3e-5 if name == "functions" else 1e-5)
    for file in ("m.keras", "m.h5"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model.save(tmp_path / file)
        assert import_model(tmp_path / file) == live


@pytest.mark.parametrize(("padding", "size"), [("valid", (3, 3)), ("same", (2, 3))])
def test_a_transposed_convolution_of_keras_3(keras, rng, padding, size):
    """Keras 3.15 on JAX fails where a model runs it, and does not by itself."""
    if generation(keras) == 2:
        pytest.skip("these are of Keras 3")
    source, kernel, how = keras.Input((6, 8, 4)), array(*size, 2, 4), {"strides": 2, "padding": padding}
    model = keras.Model(source, keras.ops.conv_transpose(source, kernel, data_format="channels_last", **how))
    x = array(3, 6, 8, 4)
    want = np.asarray(keras.ops.conv_transpose(x, kernel, data_format="channels_last", **how))
    (got,) = import_model(model).evaluate(x).values()
    assert relative_error(got, want) < 1e-5


@pytest.mark.parametrize("name", ["shape times batch", "size of the batch alone"])
def test_arithmetic_with_the_size_of_the_batch_is_refused(keras, rng, name):
    if generation(keras) == 3:
        pytest.skip("these are of TensorFlow and Keras 2")
    import tensorflow as tf

    x = keras.Input((4, 6))
    count = tf.shape(x)[0] * 4 if name == "shape times batch" else tf.shape(x)[0] + 1
    with pytest.raises(FrontendError, match=r"layer 'tf.*' .*: it computes with the size of the batch"):
        import_model(keras.Model(x, tf.reshape(x, (count, 6))))


def einsum_model(keras, equation, count):
    """Return a model of Keras 2 with an einsum of the same two tensors, whose file does not say which."""
    import tensorflow as tf

    source = keras.Input((4, 6))
    tensors = [keras.layers.Dense(3, name=f"dense{k}")(source) for k in range(count)]
    y = tf.einsum(equation, *(tensors * 2)[:2])
    return keras.Model(source, keras.layers.Dense(2)(y))


def test_a_file_that_lost_the_tensors_of_an_einsum_is_read_where_only_one_way_fits(keras, rng, tmp_path):
    if generation(keras) == 3:
        pytest.skip("Keras 3 writes them down")
    model = einsum_model(keras, "bij,bkj->bik", 1)  # the input has other sizes
    live = agree(model, rng)
    model.save(tmp_path / "m.h5")
    assert import_model(tmp_path / "m.h5") == live


@pytest.mark.parametrize(("equation", "count"), [("bij,bik->bjk", 1), ("bij,bkj->bik", 2)])
def test_one_in_which_several_ways_fit_is_refused(keras, rng, equation, count, tmp_path):
    if generation(keras) == 3:
        pytest.skip("Keras 3 writes them down")
    model = einsum_model(keras, equation, count)
    agree(model, rng)
    model.save(tmp_path / "m.h5")
    with pytest.raises(FrontendError, match=r"Keras 2 does not write down which tensors tf.einsum reads, and \d ways"):
        import_model(tmp_path / "m.h5")
