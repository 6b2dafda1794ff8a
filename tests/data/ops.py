#!/usr/bin/env python3
# Long because it holds a reference for every definition of the prelude, in one place.
"""Writes ops/*.json: what JAX and optax say of the specs in tests/ops/samples.

    pip install jax optax && python3 tests/data/ops.py

Every case names a net or step of a sample, its values, and what must come out: outputs, their
gradients for drawn cotangents, or the parameters after each of some updates. Inputs are multiples
of 1/64, so that they are the same numbers in f32; everything is computed in f64.
"""
import functools
import json
import math
import pathlib

import jax

jax.config.update("jax_enable_x64", True)
import jax.numpy as jnp  # noqa: E402
import numpy as np  # noqa: E402
import optax  # noqa: E402

cases = {}
random = np.random.default_rng(20)


def draw(*shape, low=-2.0, high=2.0):
    """Distinct numbers as far as there are enough: ties and kinks are cases of their own."""
    n = int(np.prod(shape))
    choices = np.arange(low * 64 + 0.5, high * 64) / 64
    picked = random.choice(choices, size=n, replace=n > len(choices))
    return picked.reshape(shape)


def encode(a):
    a = np.asarray(a)
    flat = [float(v) for v in a.ravel()]
    words = [v if math.isfinite(v) else str(v) for v in flat]
    return {"shape": list(a.shape), "data": [int(v) if v == int(v) else v for v in words]
            if all(isinstance(v, float) for v in words) else words}


def case(topic, name, reference, out="y", params=None, state=None, unit=False, **inputs):
    """`reference` takes the inputs, then the parameters, then the state, which is given; `out` names what it
    returns. Shapes are drawn. With `unit` the cotangents are ones."""
    named = {f"{name}.{k}": v for k, v in {**inputs, **(params or {})}.items()}
    values = {k: draw(*v) if isinstance(v, tuple) else np.asarray(v) for k, v in named.items()}
    kept = {f"{name}.{k}": np.asarray(v, float) for k, v in (state or {}).items()}
    outs = [out] if isinstance(out, str) else out
    is_float = {k: v.dtype.kind == "f" for k, v in values.items()}

    def run(args):
        given = [args.get(k, values[k]) for k in values]
        results = reference(*given, *kept.values())
        return [jnp.asarray(r) for r in (results if isinstance(results, tuple) else (results,))]

    floats = {k: jnp.asarray(v) for k, v in values.items() if is_float[k]}
    results, pull = jax.vjp(run, floats)
    expected = dict(zip(outs, results))
    fresh = np.ones if unit else lambda shape: draw(*shape)
    cotangents = [fresh(r.shape) if r.dtype.kind == "f" else np.zeros(r.shape, jax.dtypes.float0)
                  for r in results]
    if floats and any(r.dtype.kind == "f" for r in results):
        (gradients,) = pull(cotangents)
        for k, v in gradients.items():
            # An input by its own name, a parameter by its path.
            short = k.split(".", 1)[1]
            expected["d" + (short if short in inputs else k)] = v
    for o, c in zip(outs, cotangents):
        if c.dtype.kind == "f":
            values[f"{name}.d{o}"] = c
    cases.setdefault(topic, {})[name] = {
        "values": {k: encode(v) for k, v in {**values, **kept}.items()},
        "expected": {k: encode(v) for k, v in expected.items()},
    }


def distribution(topic, name, mean, std, low=None, high=None):
    d = {"mean": mean, "std": std}
    if low is not None:
        d.update(low=low, high=high)
    cases.setdefault(topic, {})[name] = {"distribution": d}


# ---- initialisers ----

distribution("initialisers", "try_zeros", 0, 0)
distribution("initialisers", "try_ones", 1, 0)
distribution("initialisers", "try_constant", 0.25, 0)
for kind, variance in [("he", 2 / 64), ("lecun", 1 / 64), ("glorot", 2 / (64 + 48))]:
    std = math.sqrt(variance)
    distribution("initialisers", f"try_{kind}_normal", 0, std)
    distribution("initialisers", f"try_{kind}_uniform", 0, std, -std * math.sqrt(3), std * math.sqrt(3))

# ---- dense and activations ----

T = "activations"
affine = lambda x, W, b=0: x @ W + b  # noqa: E731
case(T, "try_dense", affine, x=(4, 3, 5), params={"dense1.W": (5, 4), "dense1.b": (4,)})
case(T, "try_dense_without_bias", affine, x=(4, 5), params={"dense1.W": (5, 7)})
case(T, "try_dense_of_a_vector", affine, x=(5,), params={"dense1.W": (5, 1), "dense1.b": (1,)})
case(T, "try_relu", jax.nn.relu, x=(4, 6))
case(T, "try_leaky_relu", jax.nn.leaky_relu, x=(4, 6))
case(T, "try_leaky_relu_steeper", lambda x: jax.nn.leaky_relu(x, 0.25), x=(6,))
case(T, "try_elu", jax.nn.elu, x=(4, 6))
case(T, "try_elu_larger", lambda x: jax.nn.elu(x, 1.5), x=(6,))
case(T, "try_sigmoid", jax.nn.sigmoid, x=(4, 6))
case(T, "try_silu", jax.nn.silu, x=(4, 6))
case(T, "try_softplus", jax.nn.softplus, x=(4, 6))
case(T, "try_gelu", lambda x: jax.nn.gelu(x, approximate=False), x=(4, 6))
case(T, "try_softmax", jax.nn.softmax, x=(4, 3, 5))
case(T, "try_softmax_of_large", lambda x: jax.nn.softmax(100 * x), x=(4, 5))
case(T, "try_softmax_of_one", jax.nn.softmax, x=(4, 1))
case(T, "try_log_softmax", jax.nn.log_softmax, x=(4, 3, 5))
case(T, "try_log_softmax_of_large", lambda x: jax.nn.log_softmax(100 * x), x=(4, 5))

case(T, "try_relu6", lambda x: jax.nn.relu6(4 * x), x=(4, 6))
case(T, "try_hard_tanh", jax.nn.hard_tanh, x=(4, 6))
case(T, "try_hard_sigmoid", lambda x: jax.nn.hard_sigmoid(2 * x), x=(4, 6))
case(T, "try_hard_swish", lambda x: jax.nn.hard_swish(2 * x), x=(4, 6))
case(T, "try_selu", jax.nn.selu, x=(4, 6))
case(T, "try_celu", lambda x: jax.nn.celu(x, 0.5), x=(4, 6))
case(T, "try_softsign", jax.nn.soft_sign, x=(4, 6))
case(T, "try_mish", jax.nn.mish, x=(4, 6))
case(T, "try_log_sigmoid", jax.nn.log_sigmoid, x=(4, 6))
case(T, "try_gelu_tanh", lambda x: jax.nn.gelu(x, approximate=True), x=(4, 6))
case(T, "try_glu", jax.nn.glu, x=(4, 6))
case(T, "try_prelu", lambda x, slope: jnp.where(x > 0, x, slope * x), x=(4, 6), params={"prelu1.slope": (6,)})
case(T, "try_clip", lambda x: jnp.clip(x, -0.5, 1.25), x=(4, 6))
stop = jax.lax.stop_gradient
case(T, "try_straight_through", lambda x: jnp.tanh(x) + stop(jnp.round(x) - jnp.tanh(x)), x=(4, 6))
case(T, "try_gradient_reversal", lambda x: 1.5 * stop(x) - 0.5 * x, x=(4, 6))

# ---- losses and metrics ----

T = "losses"
soft = jax.nn.softmax
logsoft = jax.nn.log_softmax
labels = lambda *shape, n: random.integers(0, n, shape)  # noqa: E731
case(T, "try_mse", lambda y, t: jnp.mean((y - t) ** 2), "loss", y=(4, 3), t=(4, 3))
case(T, "try_mae", lambda y, t: jnp.mean(jnp.abs(y - t)), "loss", y=(4, 3), t=(4, 3))
case(T, "try_huber", lambda y, t: jnp.mean(optax.huber_loss(y, t)), "loss", y=(4, 3), t=(4, 3))
case(T, "try_huber_narrow", lambda y, t: jnp.mean(optax.huber_loss(y, t, delta=0.25)), "loss", y=(4, 3), t=(4, 3))
integer_ce = optax.softmax_cross_entropy_with_integer_labels
case(T, "try_cross_entropy", lambda z, l: jnp.mean(integer_ce(z, l)), "loss", z=(4, 5), label=labels(4, n=5))
case(T, "try_cross_entropy_of_sequences", lambda z, l: jnp.mean(integer_ce(z, l)), "loss", z=(4, 3, 5),
     label=labels(4, 3, n=5))
case(T, "try_cross_entropy_soft", lambda z, q: jnp.mean(optax.softmax_cross_entropy(z, soft(q))), "loss",
     z=(4, 5), q=(4, 5))
case(T, "try_cross_entropy_of", lambda z, q: jnp.mean(optax.softmax_cross_entropy(z, soft(q))), "loss",
     z=(4, 5), q=(4, 5))
case(T, "try_cross_entropy_of_one_hot", lambda z, l: jnp.mean(integer_ce(z, l)), "loss", z=(4, 3),
     label=labels(4, n=3))
sigmoid_ce = optax.sigmoid_binary_cross_entropy
for name in ["try_bce", "try_bce_with_logits"]:
    case(T, name, lambda z, y: jnp.mean(sigmoid_ce(z, jax.nn.sigmoid(y))), "loss", z=(4, 3), y=(4, 3))
case(T, "try_kl_divergence", lambda p, q: jnp.mean(optax.kl_divergence(logsoft(q), soft(p))), "loss", p=(4, 5),
     q=(4, 5))
case(T, "try_kl_divergence_of_one_hot", lambda l, q: jnp.mean(integer_ce(q, l)), "loss", label=labels(4, n=3),
     q=(4, 3))
case(T, "try_accuracy", lambda z, l: jnp.mean((jnp.argmax(z, -1) == l).astype(z.dtype)), "a", z=(4, 5), label=labels(4, n=5))

case(T, "try_cross_entropy_smoothed", lambda z, l: jnp.mean(optax.softmax_cross_entropy(
    z, optax.smooth_labels(jax.nn.one_hot(l, 5, dtype=z.dtype), 0.2))), "loss", z=(4, 5), label=labels(4, n=5))
case(T, "try_focal", lambda z, y: jnp.mean(
    jax.nn.sigmoid(y) * jax.nn.sigmoid(-z) ** 2 * -jax.nn.log_sigmoid(z)
    + (1 - jax.nn.sigmoid(y)) * jax.nn.sigmoid(z) ** 2 * -jax.nn.log_sigmoid(-z)), "loss", z=(4, 3), y=(4, 3))
case(T, "try_hinge", lambda z, y: jnp.mean(optax.hinge_loss(z, jnp.sign(y))), "loss", z=(4, 3), y=(4, 3))
case(T, "try_triplet", lambda a, p, n: jnp.mean(jax.nn.relu(
    jnp.sum((a - p) ** 2, -1) - jnp.sum((a - n) ** 2, -1) + 1)), "loss", a=(4, 3), p=(4, 3), n=(4, 3))
case(T, "try_contrastive", lambda a, b, y: jnp.mean(
    jax.nn.sigmoid(y) * jnp.sum((a - b) ** 2, -1) + (1 - jax.nn.sigmoid(y))
    * jax.nn.relu(4 - jnp.sqrt(jnp.sum((a - b) ** 2, -1) + 1e-12)) ** 2), "loss", a=(4, 3), b=(4, 3), y=(4,))
case(T, "try_info_nce", lambda a, b: jnp.mean(integer_ce(a @ b.T / 0.5, jnp.arange(3))), "loss", a=(3, 4), b=(3, 4))


def normal_kl(mu, logvar):
    return jnp.mean(0.5 * jnp.sum(jnp.exp(logvar) + mu ** 2 - 1 - logvar, -1))


case(T, "try_gaussian_kl", normal_kl, "loss", mu=(4, 3), logvar=(4, 3))
case(T, "try_gaussian_kl_of", lambda mu, s: normal_kl(mu, 2 * s), "loss", mu=(4, 3), s=(4, 3))
case(T, "try_log_cosh", lambda y, t: jnp.mean(jnp.log(jnp.cosh(y - t))), "loss", y=(4, 3), t=(4, 3))
case(T, "try_quantile_loss", lambda y, t: jnp.mean(jnp.where(t > y, 0.9 * (t - y), 0.1 * (y - t))), "loss",
     y=(4, 3), t=(4, 3))
case(T, "try_poisson_nll", lambda z, n: jnp.mean(jnp.exp(z) - n * z), "loss", z=(4, 3), n=(4, 3))
case(T, "try_gaussian_nll", lambda mu, lv, t: jnp.mean(
    -jax.scipy.stats.norm.logpdf(t, mu, jnp.exp(lv / 2)) - 0.5 * math.log(2 * math.pi)), "loss",
    mu=(4, 3), logvar=(4, 3), t=(4, 3))
case(T, "try_cosine_similarity", lambda a, b: jnp.sum(a * b, -1) / jnp.sqrt(
    jnp.sum(a * a, -1) * jnp.sum(b * b, -1) + 1e-8), "s", a=(4, 3), b=(4, 3))


def dice(p, t):
    p, t = (jax.nn.sigmoid(v).reshape(4, -1) for v in (p, t))
    return 1 - jnp.mean((2 * jnp.sum(p * t, 1) + 1) / (jnp.sum(p, 1) + jnp.sum(t, 1) + 1))


case(T, "try_dice", dice, "loss", p=(4, 3, 2), t=(4, 3, 2))
case(T, "try_total_variation", lambda x: (jnp.sum(jnp.abs(jnp.diff(x, axis=2)))
                                          + jnp.sum(jnp.abs(jnp.diff(x, axis=3)))) / 4, "loss", x=(4, 2, 3, 4))


def ssim(x, y):
    w = jnp.exp(-(jnp.arange(3) - 1.0) ** 2 / (2 * 1.5 ** 2))
    w = w / jnp.sum(w)

    def blur(a):
        return jax.lax.conv(a.reshape(8, 1, 5, 6), jnp.outer(w, w)[None, None], (1, 1), "VALID")

    mx, my, c1, c2 = blur(x), blur(y), 0.04 ** 2, 0.12 ** 2
    vx, vy, xy = blur(x * x) - mx * mx, blur(y * y) - my * my, blur(x * y) - mx * my
    return jnp.mean((2 * mx * my + c1) * (2 * xy + c2) / ((mx ** 2 + my ** 2 + c1) * (vx + vy + c2)))


case(T, "try_ssim", ssim, "s", x=(4, 2, 5, 6), y=(4, 2, 5, 6))
case(T, "try_top_k_accuracy", lambda z, l: jnp.mean(jnp.any(jax.lax.top_k(z, 2)[1] == l[:, None], -1)
                                                    .astype(z.dtype)), "a", z=(4, 5), label=labels(4, n=5))
case(T, "try_confusion", lambda z, l: jnp.einsum(
    "bi,bj->ij", jax.nn.one_hot(l, 3, dtype=z.dtype), jax.nn.one_hot(jnp.argmax(z, -1), 3, dtype=z.dtype)),
    "m", z=(4, 3), label=labels(4, n=3))
both = lambda z, y: jnp.sum((z > 0) & (y > 0)).astype(z.dtype)  # noqa: E731
case(T, "try_precision", lambda z, y: both(z, y) / jnp.sum(z > 0), "p", z=(4, 3), y=(4, 3))
case(T, "try_recall", lambda z, y: both(z, y) / jnp.sum(y > 0), "r", z=(4, 3), y=(4, 3))
case(T, "try_f1", lambda z, y: 2 * both(z, y) / (jnp.sum(z > 0) + jnp.sum(y > 0)), "f", z=(4, 3), y=(4, 3))
case(T, "try_r_squared", lambda y, t: 1 - jnp.sum((t - y) ** 2) / jnp.sum((t - jnp.mean(t)) ** 2), "r",
     y=(4, 3), t=(4, 3))
case(T, "try_perplexity", lambda z, l: jnp.exp(jnp.mean(integer_ce(z, l))), "p", z=(4, 5), label=labels(4, n=5))

# ---- shapes ----

T = "shapes"
case(T, "try_flatten", lambda x: x.reshape(4, -1), x=(4, 2, 3, 2))
case(T, "try_transpose", lambda x: jnp.swapaxes(x, -1, -2), x=(4, 2, 3))
case(T, "try_channels_last", lambda x: jnp.moveaxis(x, 1, -1), x=(4, 3, 2, 4))
case(T, "try_channels_first", lambda x: jnp.moveaxis(x, -1, 1), x=(4, 2, 4, 3))
case(T, "try_reverse", lambda x: x[:, ::-1], x=(4, 5))
case(T, "try_slice", lambda x: x[:, 2:5], x=(4, 7))
case(T, "try_slice_from_the_first", lambda x: x[:, 0:3], x=(4, 7))
case(T, "try_split", lambda x: (x[:, :2], x[:, 2:]), ["a", "b"], x=(4, 5))
case(T, "try_concat", lambda x, z: jnp.concatenate([x, z], -1), x=(4, 2), z=(4, 3))
case(T, "try_concat_channels", lambda x, z: jnp.concatenate([x, z], 1), x=(4, 2, 3, 2), z=(4, 1, 3, 2))
case(T, "try_stack", lambda x, z: jnp.stack([x, z], -1), x=(4, 3), z=(4, 3))
case(T, "try_pad2d", lambda x: jnp.pad(x, ((0, 0), (2, 2), (2, 2)), constant_values=0.5), x=(4, 2, 3))
case(T, "try_crop2d", lambda x: x[:, :, 1:3, 0:3], x=(4, 2, 5, 4))


def pixel_shuffle(x):
    return x.reshape(4, 2, 2, 2, 2, 3).transpose(0, 1, 4, 2, 5, 3).reshape(4, 2, 4, 6)


case(T, "try_pixel_shuffle", pixel_shuffle, x=(4, 8, 2, 3))
case(T, "try_take", lambda x, ids: x[ids], x=(5, 3), ids=labels(4, 2, n=5))
case(T, "try_scatter_add", lambda x, ids: jnp.zeros((4, 3)).at[ids].add(x), x=(6, 3), ids=labels(6, n=4))
case(T, "try_one_hot", lambda l, x: jax.nn.one_hot(l, 5, dtype=x.dtype) * x, label=labels(4, n=5), x=(4, 5))
case(T, "try_cumulative_sum", lambda x: jnp.cumsum(x, -1), x=(4, 5))
case(T, "try_batched_product", lambda x, z: x @ z, x=(4, 2, 3), z=(4, 3, 4))
case(T, "try_argsort", lambda x, z: jnp.take_along_axis(z, jnp.argsort(x), -1), x=(4, 6), z=(4, 6))
case(T, "try_sort", lambda x: jnp.sort(x, -1), x=(4, 6))
case(T, "try_sort_of_equals", lambda x: 0 * x, x=(4, 6))
case(T, "try_top_k", lambda x: (jax.lax.top_k(x, 2)[0], jax.lax.top_k(x, 2)[1].astype(x.dtype)), ["y", "position"],
     x=(4, 6))

# ---- convolutions, pooling, resizing ----

T = "convolutions"


def conv(n, stride=1, pad=0, dilation=1, groups=1):
    def reference(x, K, b=None):
        y = jax.lax.conv_general_dilated(x, K, (stride,) * n, ((pad, pad),) * n, rhs_dilation=(dilation,) * n,
                                         feature_group_count=groups)
        return y if b is None else y + b.reshape((-1,) + (1,) * n)
    return reference


case(T, "try_conv1d", conv(1, pad=1), x=(2, 2, 7), params={"conv1d1.K": (3, 2, 3), "conv1d1.b": (3,)})
case(T, "try_conv1d_dilated", conv(1, stride=2, dilation=3), x=(2, 2, 9), params={"conv1d1.K": (3, 2, 2)})
kernel = lambda *shape, bias=True: {  # noqa: E731
    "conv2d1.K": shape, **({"conv2d1.b": shape[:1]} if bias else {})}
case(T, "try_conv2d", conv(2, pad=1), x=(2, 2, 5, 4), params=kernel(3, 2, 3, 3))
case(T, "try_conv2d_by_2", conv(2, stride=2, pad=1), x=(2, 2, 7, 6), params=kernel(3, 2, 3, 3))
case(T, "try_conv2d_of_5", conv(2, pad=2), x=(2, 1, 6, 6), params=kernel(2, 1, 5, 5, bias=False))
case(T, "try_conv2d_of_1", conv(2), x=(2, 3, 4, 5), params=kernel(2, 3, 1, 1))
case(T, "try_conv2d_dilated", conv(2, dilation=2), x=(2, 2, 7, 8), params=kernel(2, 2, 3, 3))
case(T, "try_conv3d", conv(3, stride=2, pad=1), x=(2, 2, 4, 3, 4),
     params={"conv3d1.K": (2, 2, 3, 3, 3), "conv3d1.b": (2,)})
case(T, "try_grouped_conv2d", conv(2, stride=2, pad=1, groups=2), x=(2, 4, 5, 4),
     params={"grouped_conv2d1.K": (6, 2, 3, 3), "grouped_conv2d1.b": (6,)})
case(T, "try_depthwise_conv2d", lambda x, K, b: conv(2, pad=1, groups=3)(x, K[:, None], b), x=(2, 3, 5, 4),
     params={"depthwise_conv2d1.K": (3, 3, 3), "depthwise_conv2d1.b": (3,)})


def transposed(k, stride, pad, more=0):
    def reference(x, K, b=None):
        low = k - 1 - pad
        y = jax.lax.conv_general_dilated(x, K.transpose(1, 0, 2, 3)[:, :, ::-1, ::-1], (1, 1),
                                         ((low, low + more),) * 2, lhs_dilation=(stride, stride))
        return y if b is None else y + b.reshape(-1, 1, 1)
    return reference


case(T, "try_transposed_conv2d", transposed(4, 2, 1), x=(2, 2, 3, 4),
     params={"transposed_conv2d1.K": (2, 3, 4, 4), "transposed_conv2d1.b": (3,)})
case(T, "try_transposed_conv2d_by_1", transposed(3, 1, 0), x=(2, 2, 3, 4),
     params={"transposed_conv2d1.K": (2, 3, 3, 3)})
case(T, "try_transposed_conv2d_with_more", transposed(3, 2, 1, 1), x=(2, 2, 3, 3),
     params={"transposed_conv2d1.K": (2, 2, 3, 3), "transposed_conv2d1.b": (2,)})
case(T, "try_padding", conv(1, pad=2), x=(2, 2, 6), params={"conv1d1.K": (2, 2, 3), "conv1d1.b": (2,)})


def window(k, stride, pad, maximum):
    def reference(x):
        n = x.ndim - 2
        pads = ((0, 0), (0, 0)) + ((pad, pad),) * n
        start, function = (-jnp.inf, jax.lax.max) if maximum else (0.0, jax.lax.add)
        y = jax.lax.reduce_window(x, start, function, (1, 1) + (k,) * n, (1, 1) + (stride,) * n, pads)
        return y if maximum else y / k ** n
    return reference


case(T, "try_max_pool1d", window(2, 2, 0, True), x=(2, 2, 7))
case(T, "try_max_pool2d", window(2, 2, 0, True), x=(2, 2, 6, 4))
case(T, "try_max_pool2d_overlapping", window(3, 2, 1, True), x=(2, 2, 6, 5))
case(T, "try_average_pool2d", window(2, 2, 0, False), x=(2, 2, 6, 4))
case(T, "try_average_pool2d_padded", window(3, 2, 1, False), x=(2, 2, 5, 5))
case(T, "try_global_average_pool", lambda x: jnp.mean(x, (2, 3)), x=(2, 3, 4, 5))
case(T, "try_global_max_pool", lambda x: jnp.max(x, (2, 3)), x=(2, 3, 4, 5))


def windows(n, m):
    return [(i * n // m, -((-(i + 1) * n) // m)) for i in range(m)]


case(T, "try_pooling_windows", lambda x: jnp.stack(
    [jnp.where((np.arange(7) >= a) & (np.arange(7) < b), x[i], 0) for i, (a, b) in enumerate(windows(7, 3))]),
    x=(3, 7))
for word, function in [("average", jnp.mean), ("max", jnp.max)]:
    case(T, f"try_adaptive_{word}_pool2d", lambda x: jnp.stack(
        [jnp.stack([function(x[:, :, a:b, c:d], (2, 3)) for c, d in windows(5, 2)], -1)
         for a, b in windows(7, 3)], -2), x=(2, 2, 7, 5))
case(T, "try_upsample_nearest2d", lambda x: jnp.repeat(jnp.repeat(x, 2, 2), 2, 3), x=(2, 2, 3, 2))


def bilinear(height, width):
    return lambda x: jax.image.resize(x, x.shape[:2] + (height, width), "linear", antialias=False)


case(T, "try_linear_weights", lambda x: x * jax.image.resize(jnp.eye(4), (7, 4), "linear", antialias=False),
     x=(7, 4))
case(T, "try_resize_bilinear", bilinear(7, 5), x=(2, 2, 4, 3))
case(T, "try_upsample_bilinear2d", bilinear(9, 6), x=(2, 2, 3, 2))

# ---- norms, sequences, blocks ----

T = "networks"


def normalise(x, axes, eps=1e-5):
    m = jnp.mean(x, axes, keepdims=True)
    return (x - m) / jnp.sqrt(jnp.var(x, axes, keepdims=True) + eps)


channels = lambda a: a.reshape(-1, 1, 1)  # noqa: E731
layer_norm = lambda x, gain, offset: normalise(x, -1) * gain + offset  # noqa: E731


def group_norm(groups):
    def reference(x, gain, offset):
        z = normalise(x.reshape(x.shape[0], groups, -1), -1).reshape(x.shape)
        return z * channels(gain) + channels(offset)
    return reference


norm = lambda path, n: {f"{path}.gain": (n,), f"{path}.offset": (n,)}  # noqa: E731
case(T, "try_layer_norm", layer_norm, x=(3, 3, 6), params=norm("layer_norm1", 6))
case(T, "try_rms_norm", lambda x, g: x / jnp.sqrt(jnp.mean(x * x, -1, keepdims=True) + 1e-5) * g, x=(3, 6),
     params={"rms_norm1.gain": (6,)})
case(T, "try_group_norm", group_norm(2), x=(3, 4, 3, 2), params=norm("group_norm1", 4))
case(T, "try_instance_norm", group_norm(2), x=(3, 2, 3, 4), params=norm("instance_norm1", 2))
case(T, "try_embedding", lambda ids, E: E[ids], ids=labels(3, 4, n=7), params={"embedding1.E": (7, 5)})


def sinusoids(length, width):
    p = np.zeros((length, width))
    for t in range(length):
        for i in range(0, width, 2):
            p[t, i] = math.sin(t / 10000 ** (i / width))
            p[t, i + 1] = math.cos(t / 10000 ** (i / width))
    return p


case(T, "try_sinusoidal_positions", lambda x: x * sinusoids(5, 6), x=(5, 6))
case(T, "try_learned_positions", lambda x, P: x + P, x=(3, 4, 5), params={"learned_positions1.P": (4, 5)})


def rotary(x):
    """Pairs as complex numbers, turned by multiplication."""
    angles = np.outer(np.arange(4), 10000.0 ** (-np.arange(3) / 3))
    z = (x[..., 0::2] + 1j * x[..., 1::2]) * np.exp(1j * angles)
    return jnp.stack([z.real, z.imag], -1).reshape(x.shape)


case(T, "try_rotary", rotary, x=(3, 4, 6))


def attend(q, k, v, keep=True):
    score = jnp.where(keep, q @ jnp.swapaxes(k, -1, -2) / math.sqrt(q.shape[-1]), -jnp.inf)
    return jax.nn.softmax(score) @ v


below = np.tri(4, dtype=bool)
case(T, "try_attention", attend, q=(3, 2, 4, 3), k=(3, 2, 5, 3), v=(3, 2, 5, 2))
case(T, "try_masked_attention", lambda q, k, v: attend(q, k, v, np.add.outer(np.arange(4), np.arange(5)) % 3 != 1),
     q=(4, 3), k=(5, 3), v=(5, 2))
case(T, "try_causal_attention", lambda q, k, v: attend(q, k, v, below), q=(3, 4, 3), k=(3, 4, 3), v=(3, 4, 2))
lengths = np.array([1, 4, 2])
case(T, "try_padding_mask", lambda n, x: jnp.where(np.arange(4) < n[:, None], x, 0), length=lengths, x=(3, 4))
case(T, "try_all_kept", lambda x: x, x=(3, 4))


def heads_of(x, heads):
    return jnp.swapaxes(x.reshape(x.shape[0], x.shape[1], heads, -1), 1, 2)


def multi_head(x, memory, Wq, Wk, Wv, Wo, bo, heads, kv_heads=None, keep=True):
    q = heads_of(x @ Wq, heads)
    k, v = (jnp.repeat(heads_of(memory @ W, kv_heads or heads), heads // (kv_heads or heads), 1) for W in (Wk, Wv))
    y = jnp.swapaxes(attend(q, k, v, keep), 1, 2).reshape(x.shape)
    return y @ Wo + bo


def attention_params(path, width, memory, kv_width):
    return {f"{path}.query.W": (width, width), f"{path}.key.W": (memory, kv_width),
            f"{path}.value.W": (memory, kv_width), f"{path}.out.W": (width, width), f"{path}.out.b": (width,)}


case(T, "try_multi_head_attention", lambda x, *w: multi_head(x, x, *w, heads=2), x=(3, 4, 6),
     params=attention_params("attend", 6, 6, 6))
case(T, "try_multi_head_attention_causal", lambda x, *w: multi_head(x, x, *w, heads=4, kv_heads=2, keep=below),
     x=(3, 4, 8), params=attention_params("attend", 8, 8, 4))
case(T, "try_multi_head_attention_of_memory", lambda x, m, n, *w: multi_head(
    x, m, *w, heads=3, keep=(np.arange(5) < n[:, None])[:, None, None, :]), x=(3, 4, 6), memory=(3, 5, 3),
    length=lengths, params=attention_params("attend", 6, 3, 6))


def transformer(x, g1, o1, Wq, Wk, Wv, Wo, bo, g2, o2, W1, b1, W2, b2):
    z = layer_norm(x, g1, o1)
    a = x + multi_head(z, z, Wq, Wk, Wv, Wo, bo, heads=2, keep=np.tri(3, dtype=bool))
    return a + jax.nn.gelu(layer_norm(a, g2, o2) @ W1 + b1, approximate=False) @ W2 + b2


case(T, "try_transformer_block", transformer, x=(3, 3, 4), params={
    **norm("block.norm1", 4), **attention_params("block.attend", 4, 4, 4), **norm("block.norm2", 4),
    "block.up.W": (4, 6), "block.up.b": (6,), "block.down.W": (6, 4), "block.down.b": (4,)})


def residual(x, K1, g1, o1, K2, g2, o2):
    z = jax.nn.relu(group_norm(1)(conv(2, pad=1)(x, K1), g1, o1))
    return jax.nn.relu(x + group_norm(1)(conv(2, pad=1)(z, K2), g2, o2))


case(T, "try_residual_block_of_groups", residual, x=(3, 2, 4, 3), params={
    "block.conv1.K": (2, 2, 3, 3), **norm("block.norm1", 2), "block.conv2.K": (2, 2, 3, 3), **norm("block.norm2", 2)})


def projection(x, K1, g1, o1, K2, g2, o2, K3, b3):
    z = jax.nn.relu(group_norm(2)(conv(2, stride=2, pad=1)(x, K1), g1, o1))
    return jax.nn.relu(group_norm(2)(conv(2, pad=1)(z, K2), g2, o2) + conv(2, stride=2)(x, K3, b3))


case(T, "try_residual_projection_of_groups", projection, x=(3, 2, 4, 5), params={
    "block.conv1.K": (4, 2, 3, 3), **norm("block.norm1", 4), "block.conv2.K": (4, 4, 3, 3), **norm("block.norm2", 4),
    "block.shortcut.K": (4, 2, 1, 1), "block.shortcut.b": (4,)})
case(T, "try_dense_block_of_groups", lambda x, g, o, K: jnp.concatenate(
    [x, conv(2, pad=1)(jax.nn.relu(group_norm(2)(x, g, o)), K)], 1), x=(3, 2, 4, 3),
    params={**norm("block.norm", 2), "block.conv.K": (3, 2, 3, 3)})

# ---- optimizers ----

steps = 6
steepness = 0.5 * np.arange(1, 7)


def bowl(w, x):
    return jnp.sum((w - x) ** 4 + steepness * (w - x) ** 2)


def trajectory(name, optimizer, average=None):
    w, x = jnp.asarray(draw(6, low=-1, high=1)), jnp.asarray(draw(6, low=-1, high=1))
    values = {f"of_{name}.w": encode(w), f"try_{name}.x": encode(x)}
    state, path, losses = optimizer.init(w), [], []
    averages = average.init(w) if average else None
    for _ in range(steps):
        loss, g = jax.value_and_grad(bowl)(w, x)
        update, state = optimizer.update(g, state, w)
        w = optax.apply_updates(w, update)
        path.append({f"of_{name}.w": encode(w)})
        if average:
            mean, averages = average.update(w, averages)
            path[-1][f"try_{name}.of_{name}.w.average"] = encode(mean)
        losses.append(float(loss))
    cases.setdefault("optimizers", {})[f"try_{name}"] = {
        "values": values, "path": path, "losses": losses}


trajectory("sgd", optax.sgd(0.05))
trajectory("sgd_with_momentum", optax.sgd(0.05, momentum=0.9))
trajectory("sgd_with_weight_decay", optax.chain(optax.add_decayed_weights(0.1), optax.sgd(0.05, momentum=0.5)))
trajectory("adam", optax.adam(0.1))
trajectory("adam_slower", optax.adam(0.05, b1=0.8, b2=0.95, eps=1e-3))
trajectory("adamw", optax.adamw(0.1, weight_decay=0.1))

trajectory("nesterov", optax.sgd(0.05, momentum=0.9, nesterov=True))
trajectory("adagrad", optax.adagrad(0.2, initial_accumulator_value=0.0, eps=0.0))
trajectory("rmsprop", optax.rmsprop(0.05, eps=1e-8, eps_in_sqrt=False))
trajectory("rmsprop_with_momentum", optax.chain(optax.scale_by_rms(decay=0.9, eps=1e-8, eps_in_sqrt=False),
                                                optax.trace(0.8), optax.scale(-0.02)))
trajectory("adadelta", optax.adadelta(1.0, rho=0.9, eps=1e-6))
trajectory("adamax", optax.adamax(0.1))
trajectory("nadam", optax.nadam(0.1))
trajectory("lamb", optax.lamb(0.1, weight_decay=0.1))
trajectory("lion", optax.lion(0.03, weight_decay=0.1))


def rate(schedule):
    """optax counts updates from 0, in i32, which would make the rate an f32."""
    return lambda count: schedule(jnp.asarray(count, jnp.float64))


trajectory("step_decay", optax.sgd(rate(lambda t: 0.1 * 0.5 ** (t // 2))))
trajectory("exponential_decay", optax.sgd(rate(optax.exponential_decay(0.1, 1, 0.8))))
trajectory("cosine", optax.adam(rate(optax.cosine_decay_schedule(0.1, 5, alpha=0.1))))
trajectory("warm_up", optax.sgd(rate(lambda t: 0.1 * jnp.minimum((t + 1) / 3, 1))))
trajectory("warm_up_then_cosine", optax.sgd(
    rate(lambda t: jnp.minimum((t + 1) / 3, 1) * optax.cosine_decay_schedule(0.1, 6)(t))))
trajectory("one_cycle", optax.sgd(rate(optax.cosine_onecycle_schedule(
    6, 0.1, pct_start=0.5, div_factor=25.0, final_div_factor=10000.0))))

# ---- what differs in training: nets on their own, then steps, and what these report when evaluated ----

T = "training"


def channels(v, x):
    return v.reshape((1, -1) + (1,) * (x.ndim - 2))


def batch_norm(x, gain, offset, mean, variance):
    z = (x - channels(mean, x)) / jnp.sqrt(channels(variance, x) + 1e-5)
    return z * channels(gain, x) + channels(offset, x)


def statistics(x):
    axes = (0, *range(2, x.ndim))
    return jnp.mean(x, axes), jnp.var(x, axes)


def batch_norm_in_training(x, gain, offset):
    return batch_norm(x, gain, offset, *statistics(x))


def left_running(x, mean, variance, momentum=0.1):
    """What torch.nn.BatchNorm2d leaves in running_mean and running_var."""
    m, _ = statistics(x)
    unbiased = jnp.var(x, (0, *range(2, x.ndim)), ddof=1)
    return (1 - momentum) * mean + momentum * m, (1 - momentum) * variance + momentum * unbiased


def running(path, n):
    return {f"{path}.running_mean": np.arange(n) / 4 - 0.25, f"{path}.running_variance": 0.5 + np.arange(n) / 8}


case(T, "try_batch_norm", batch_norm, x=(3, 4, 2, 3), params=norm("batch_norm1", 4), state=running("batch_norm1", 4))
case(T, "try_batch_norm_flat", batch_norm, x=(5, 4), params=norm("batch_norm1", 4), state=running("batch_norm1", 4))
case(T, "try_unbiasing", lambda x: x * 15 / 14, x=(3, 2, 5))
for drops, shape in (("dropout", (3, 5)), ("channel_dropout", (3, 2, 3))):
    case(T, f"try_{drops}", lambda x: x, x=shape)


def residual_running(x, K1, g1, o1, K2, g2, o2, m1, v1, m2, v2):
    z = jax.nn.relu(batch_norm(conv(2, pad=1)(x, K1), g1, o1, m1, v1))
    return jax.nn.relu(x + batch_norm(conv(2, pad=1)(z, K2), g2, o2, m2, v2))


case(T, "try_residual_block", residual_running, x=(3, 2, 4, 3), params={
    "block.conv1.K": (2, 2, 3, 3), **norm("block.norm1", 2), "block.conv2.K": (2, 2, 3, 3), **norm("block.norm2", 2)},
    state={**running("block.norm1", 2), **running("block.norm2", 2)})


def projection_running(x, K1, g1, o1, K2, g2, o2, K3, b3, m1, v1, m2, v2):
    z = jax.nn.relu(batch_norm(conv(2, stride=2, pad=1)(x, K1), g1, o1, m1, v1))
    return jax.nn.relu(batch_norm(conv(2, pad=1)(z, K2), g2, o2, m2, v2) + conv(2, stride=2)(x, K3, b3))


case(T, "try_residual_projection", projection_running, x=(3, 2, 4, 5), params={
    "block.conv1.K": (4, 2, 3, 3), **norm("block.norm1", 4), "block.conv2.K": (4, 4, 3, 3), **norm("block.norm2", 4),
    "block.shortcut.K": (4, 2, 1, 1), "block.shortcut.b": (4,)},
    state={**running("block.norm1", 4), **running("block.norm2", 4)})
case(T, "try_dense_block", lambda x, g, o, K, m, v: jnp.concatenate(
    [x, conv(2, pad=1)(jax.nn.relu(batch_norm(x, g, o, m, v)), K)], 1), x=(3, 2, 4, 3),
    params={**norm("block.norm", 2), "block.conv.K": (3, 2, 3, 3)}, state=running("block.norm", 2))


def trained_norm(name, path, shape, twice):
    """Descent of a net that is one batch norm, called once or on two batches in a row."""
    x, t = jnp.asarray(draw(*shape)), jnp.asarray(draw(*shape))
    gain, offset = jnp.asarray(draw(shape[1])), jnp.asarray(draw(shape[1]))
    kept = [jnp.asarray(v) for v in running(path, shape[1]).values()]
    values = {f"{name}.x": x, f"{name}.t": t, f"{path}.gain": gain, f"{path}.offset": offset,
              **running(path, shape[1])}

    def loss_of(gain, offset, norm):
        y = norm(x, gain, offset)
        return jnp.mean((y - (norm(t, gain, offset) if twice else t)) ** 2)

    path_taken, losses, evaluated = [], [], []
    for _ in range(steps):
        evaluated.append(float(loss_of(gain, offset, lambda x, g, o: batch_norm(x, g, o, *kept))))
        loss, (dg, do) = jax.value_and_grad(loss_of, (0, 1))(gain, offset, batch_norm_in_training)
        gain, offset = gain - 0.1 * dg, offset - 0.1 * do
        for batch in (x, t) if twice else (x,):
            kept = left_running(batch, *kept)
        losses.append(float(loss))
        path_taken.append({k: encode(v) for k, v in (
            (f"{path}.gain", gain), (f"{path}.offset", offset),
            (f"{path}.running_mean", kept[0]), (f"{path}.running_variance", kept[1]))})
    cases[T][name] = {"values": {k: encode(v) for k, v in values.items()}, "path": path_taken, "losses": losses,
                      "evaluated": evaluated}


trained_norm("try_batch_norm_trained", "normed.batch_norm1", (3, 4, 2, 3), twice=False)
trained_norm("try_batch_norm_twice", "normed_flat.batch_norm1", (5, 4), twice=True)
for drops in ("always_dropout", "always_channel_dropout"):  # what they draw is not for JAX to say
    cases[T][f"try_{drops}"] = {}

# Drawn apart, so that what stands before stays as it is.
random = np.random.default_rng(21)
trajectory("clip_value", optax.chain(optax.clip(0.5), optax.sgd(0.05, momentum=0.9)))
trajectory("clip_norm", optax.chain(optax.clip_by_global_norm(1.0), optax.adam(0.1)))
trajectory("accumulate_gradients", optax.MultiSteps(optax.chain(optax.clip_by_global_norm(1.0), optax.adam(0.1)), 2))
trajectory("decay_weights", optax.chain(optax.scale_by_rms(decay=0.9, eps=1e-8, eps_in_sqrt=False), optax.scale(-0.05),
                                        optax.add_decayed_weights(-0.01)))
trajectory("average_weights", optax.sgd(0.05), average=optax.ema(0.9))
apart = np.argsort(random.random((4, 6)), 1) / 16
case("activations", "try_gumbel_softmax", lambda x: jax.nn.one_hot(jnp.argmax(x, -1), 6, dtype=x.dtype), x=apart)

# ---- index notation ----

random = np.random.default_rng(22)
T = "einsum"
for name, formula, shapes in [
        ("product", "ik,kj->ij", dict(a=(3, 4), b=(4, 5))),
        ("product_of_batches", "nik,nkj->nij", dict(a=(3, 3, 4), b=(3, 4, 2))),
        ("product_permuted", "kni,jk->jni", dict(a=(4, 3, 3), b=(5, 4))),
        ("product_of_transposes", "ki,jk->ji", dict(a=(4, 3), b=(5, 4))),
        ("trace", "ii->", dict(a=(4, 4))),
        ("diagonal", "nii->ni", dict(a=(3, 4, 4))),
        ("partial_trace", "ikjk->ji", dict(a=(2, 3, 4, 3))),
        ("trace_of_product", "ik,ki->", dict(a=(3, 4), b=(4, 3))),
        ("outer", "i,j,k->ijk", dict(a=(3,), b=(2,), c=(4,))),
        ("bilinear", "ni,ij,nj->n", dict(x=(3, 3), M=(3, 5), z=(3, 5))),
        ("chain", "ij,jk,kl->il", dict(a=(3, 4), b=(4, 5), c=(5, 2))),
        ("scores", "nihd,njhd->nhij", dict(q=(3, 3, 2, 4), k=(3, 5, 2, 4))),
        ("sum_of_all", "nij->", dict(a=(3, 3, 2)))]:
    case(T, f"try_{name}", lambda *args, formula=formula: jnp.einsum(formula, *args), **shapes)
case(T, "try_gram", lambda a: jnp.einsum("nik,njk->ij", a, a), a=(3, 3, 4))
case(T, "try_diagonal_matrix", jnp.diag, a=(4,))
case(T, "try_kronecker", jnp.kron, a=(2, 3), b=(3, 2))
case(T, "try_full_convolution", jnp.convolve, x=(5,), k=(3,))
case(T, "try_interleaved", lambda a, b: jnp.stack([a, b], -1).reshape(3, 6), a=(3, 3), b=(3, 3))

# ---- derivatives of derivatives ----

T = "derivatives"


def wave(x):
    return jnp.tanh(x) * x ** 2


def nth(f, n):
    return f if n == 0 else nth(jax.grad(f), n - 1)


for n, name in enumerate(["first", "second", "third"], 1):
    case(T, f"try_{name}_derivative", jax.vmap(nth(wave, n)), x=(5,))
case(T, "try_hessian_times_vector", lambda x, v: jax.hessian(jax.nn.logsumexp)(x) @ v, x=(5,), v=(5,))


def descent(x):
    for _ in range(3):
        x = x - 0.125 * jax.vmap(jax.grad(wave))(x)
    return x


def oscillator(x, a, c, w):
    def u(t):
        return (jnp.tanh(t * a[0] + c) @ w)[0]
    return jax.vmap(lambda t: jax.grad(jax.grad(u))(t[0])[None] + u(t[0]))(x)


def penalty(x, a, w):
    g = jax.vmap(jax.grad(lambda row: jnp.tanh(row @ a) @ w))(x)
    return jnp.mean((jnp.sqrt(jnp.sum(g ** 2, -1)) - 1) ** 2)


case(T, "try_descent_unrolled", descent, x=(5,))
case(T, "try_second_derivative_of_a_net", oscillator, x=(3, 1), a=(1, 6), c=(6,), w=(6, 1))
case(T, "try_gradient_penalty", penalty, x=(3, 3), a=(3, 4), w=(4,))

# ---- blocks one upon another ----

random = np.random.default_rng(23)
T = "blocks"
channels = lambda a: a.reshape(-1, 1, 1)  # noqa: E731


def mlp(x, *w):
    *hidden, last, offset = w
    for W, b in zip(hidden[::2], hidden[1::2]):
        x = jax.nn.relu(x @ W + b)
    return x @ last + offset


def block_params(path):
    return {**norm(f"{path}.norm1", 4), **attention_params(f"{path}.attend", 4, 4, 4), **norm(f"{path}.norm2", 4),
            f"{path}.up.W": (4, 6), f"{path}.up.b": (6,), f"{path}.down.W": (6, 4), f"{path}.down.b": (4,)}


def grow(x, g, o, K):
    return jnp.concatenate([x, conv(2, pad=1)(jax.nn.relu(group_norm(2)(x, g, o)), K)], 1)


case(T, "try_mlp", mlp, x=(3, 3), params={
    "body.hidden1.W": (3, 5), "body.hidden1.b": (5,), "body.hidden2.W": (5, 5), "body.hidden2.b": (5,),
    "body.out.W": (5, 2), "body.out.b": (2,)})
case(T, "try_mlp_without_hidden_layers", mlp, x=(3, 3), params={"body.out.W": (3, 2), "body.out.b": (2,)})
case(T, "try_transformer", lambda x, *w: transformer(transformer(x, *w[:13]), *w[13:]), x=(3, 3, 4),
     params={**block_params("body.block1"), **block_params("body.block2")})
case(T, "try_dense_blocks", lambda x, *w: grow(grow(x, *w[:3]), *w[3:]), x=(3, 2, 4, 3), params={
    **norm("body.block1.norm", 2), "body.block1.conv.K": (2, 2, 3, 3),
    **norm("body.block2.norm", 4), "body.block2.conv.K": (2, 4, 3, 3)})
# ---- recurrent networks and CTC ----

T = "recurrent"


def along(step, start, a, reverse=False):
    """The results of step(carry, a[t]) -> (carry, h) over the last axis but one."""
    _, h = jax.lax.scan(step, start, jnp.moveaxis(a, -2, 0), reverse=reverse)
    return jax.tree.map(lambda v: jnp.moveaxis(v, 0, -2), h)


def rnn_cells(a, U, reverse=False):
    def step(h, at):
        h = jnp.tanh(at + h @ U)
        return h, h
    return along(step, jnp.zeros(a.shape[:-2] + a.shape[-1:]), a, reverse)


def lstm_cells(a, U, reverse=False):
    H = U.shape[0]

    def step(carry, at):
        h, c = carry
        i, f, g, o = jnp.split(at + h @ U, 4, -1)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        h = jax.nn.sigmoid(o) * jnp.tanh(c)
        return (h, c), (h, c)
    zero = jnp.zeros(a.shape[:-2] + (H,))
    return along(step, (zero, zero), a, reverse)


def gru_cells(a, U, v, reverse=False):
    H = U.shape[0]

    def step(h, at):
        r, z, n = jnp.split(at, 3, -1)
        ru, zu, nu = jnp.split(h @ U + v, 3, -1)
        z = jax.nn.sigmoid(z + zu)
        h = (1 - z) * jnp.tanh(n + jax.nn.sigmoid(r + ru) * nu) + z * h
        return h, h
    return along(step, jnp.zeros(a.shape[:-2] + (H,)), a, reverse)


rnn = lambda x, W, U, b, reverse=False: rnn_cells(x @ W + b, U, reverse)  # noqa: E731
lstm = lambda x, W, U, b, reverse=False: lstm_cells(x @ W + b, U, reverse)[0]  # noqa: E731
gru = lambda x, W, U, b, v, reverse=False: gru_cells(x @ W + b, U, v, reverse)  # noqa: E731


def recurrent_params(path, I, H, gates, offset=False):
    params = {f"{path}.W": (I, gates * H), f"{path}.U": (H, gates * H), f"{path}.b": (gates * H,)}
    return {**params, f"{path}.v": (gates * H,)} if offset else params


for kind, layer, gates in [("rnn", rnn, 1), ("lstm", lstm, 4), ("gru", gru, 3)]:
    params = recurrent_params(f"{kind}1", 5, 3, gates, kind == "gru")
    case(T, f"try_{kind}", layer, "h", x=(3, 4, 5), params=params)
    case(T, f"try_{kind}_reverse", functools.partial(layer, reverse=True), "h", x=(3, 4, 5), params=params)
    count = len(params)
    case(T, f"try_bi{kind}", lambda x, *w: jnp.concatenate(
        [layer(x, *w[:count]), layer(x, *w[count:], reverse=True)], -1), "h", x=(3, 3, 2), params={
            **recurrent_params("both.forward", 2, 2, gates, kind == "gru"),
            **recurrent_params("both.backward", 2, 2, gates, kind == "gru")})
case(T, "try_rnn_of_one_step", rnn, "h", x=(3, 1, 2), params=recurrent_params("rnn1", 2, 3, 1))
case(T, "try_rnn_of_a_sequence", rnn, "h", x=(4, 2), params=recurrent_params("rnn1", 2, 3, 1))
case(T, "try_lstm_stacked", lambda x, *w: lstm(lstm(x, *w[:3]), *w[3:])[:, -1], "h", x=(3, 3, 2),
     params={**recurrent_params("one", 2, 3, 4), **recurrent_params("two", 3, 4, 4)})
for suffix, back in [("", False), ("_reversed", True)]:
    case(T, "try_rnn_cells" + suffix, functools.partial(rnn_cells, reverse=back), "h", a=(3, 4, 3), U=(3, 3))
    case(T, "try_lstm_cells" + suffix, functools.partial(lstm_cells, reverse=back), ["h", "c"], a=(3, 4, 8), U=(2, 8))
    case(T, "try_gru_cells" + suffix, functools.partial(gru_cells, reverse=back), "h", a=(3, 4, 6), U=(2, 6), v=(6,))
case(T, "try_last_step", lambda x: x[:, -1], x=(3, 4, 3))
case(T, "try_step_at", lambda x, n: x[np.arange(3), n - 1], x=(3, 4, 3), length=np.array([4, 1, 3]))
case(T, "try_log_sum_exp3", lambda *v: jax.nn.logsumexp(jnp.stack(v), 0), a=(3,), b=(3,), c=(3,))


def ctc_each(logits, labels, frames, letters):
    return optax.ctc_loss(logits, np.arange(logits.shape[1]) >= frames[:, None], labels,
                          np.arange(labels.shape[1]) >= letters[:, None], blank_id=0)


# Repeated letters need a blank between them; no letters, and as many as fit.
case(T, "try_ctc", lambda *v: jnp.mean(ctc_each(*v)), "loss", logits=(3, 6, 4),
     labels=np.array([[1, 1, 2], [3, 2, 3], [2, 1, 1]]), frames=np.array([6, 5, 4]), letters=np.array([3, 3, 2]))
case(T, "try_ctc_each", ctc_each, "loss", logits=(3, 5, 3), labels=np.array([[2, 2], [1, 2], [1, 1]]),
     frames=np.array([3, 2, 5]), letters=np.array([2, 1, 0]))

# ---- where formulas break ----

T = "edges"
inf, nan = math.inf, math.nan
points = np.array([-inf, -80, -1, -0.0, 0, 1, 80, inf, nan])


def edge(name, reference, out="y", ours=None, **inputs):
    """`ours`: what comes out by gradc's rules where there is no one answer, or JAX gives NaN: an extreme passes its
    gradient to the first that attains it, max(x, c) at x = c none to x, |x| and sign none at 0, 0 log 0 none to 0."""
    case(T, f"try_edge_{name}", reference, out, unit=True, **{k: np.asarray(v) for k, v in inputs.items()})
    entry = cases[T][f"try_edge_{name}"]["expected"]
    for k, v in (ours or {}).items():
        v = np.asarray(v, float)
        assert list(v.shape) == entry[k]["shape"], (name, k)
        entry[k] = encode(v)


at_kinks = {"abs": [-1, -1, -1, 0, 0, 1, 1, 1, nan], "clip": [0, 0, 0, 1, 1, 0, 0, 0, 0],
            "hard_tanh": [0, 0, 0, 1, 1, 0, 0, 0, 0], "leaky_relu": [0.01] * 5 + [1, 1, 1, 0.01]}
for name, function in [
        ("relu", jax.nn.relu), ("leaky_relu", jax.nn.leaky_relu), ("elu", jax.nn.elu), ("sigmoid", jax.nn.sigmoid),
        ("silu", jax.nn.silu), ("softplus", jax.nn.softplus), ("gelu", lambda x: jax.nn.gelu(x, approximate=False)),
        ("relu6", jax.nn.relu6), ("hard_tanh", jax.nn.hard_tanh), ("hard_sigmoid", jax.nn.hard_sigmoid),
        ("hard_swish", jax.nn.hard_swish), ("selu", jax.nn.selu), ("celu", jax.nn.celu), ("softsign", jax.nn.soft_sign),
        ("mish", jax.nn.mish), ("log_sigmoid", jax.nn.log_sigmoid), ("gelu_tanh", lambda x: jax.nn.gelu(x, approximate=True)),
        ("tanh", jnp.tanh), ("abs", jnp.abs), ("exp", jnp.exp), ("log", jnp.log), ("sqrt", jnp.sqrt), ("sign", jnp.sign),
        ("round", jnp.round), ("floor", jnp.floor), ("clip", lambda x: jnp.clip(x, -1, 1))]:
    edge(name, function, x=points, ours={"dx": at_kinks[name]} if name in at_kinks else None)
rows = [[1.0, 1, 1], [-inf, 0, 0], [-inf, -inf, -inf], [inf, 0, 0], [nan, 0, 0], [1000, 0, -1000]]
edge("softmax", jax.nn.softmax, x=rows)
edge("log_softmax", jax.nn.log_softmax, x=rows)
edge("softmax_of_one", jax.nn.softmax, x=[[0.0], [-inf], [inf], [1000]])
ties = [[1.0, 1, 0], [-inf, -inf, -inf], [0, nan, 1], [inf, 0, inf]]
edge("max", lambda x: jnp.max(x, -1), x=ties, ours={"dx": [[1, 0, 0], [1, 0, 0], [0, 1, 0], [1, 0, 0]]})
edge("argmax", lambda x: jnp.argmax(x, -1), x=ties)
edge("max_pool2d", window(2, 2, 0, True), x=np.array([[1.0, 1, 0, 0], [1, 1, 0, -0.0], [-1, -1, nan, 2], [-2, -1, 3, 2]])[None, None],
     ours={"dx": np.kron(np.ones((2, 2)), [[1, 0], [0, 0]])[None, None]})
edge("sort", lambda x: jnp.sort(x, -1), x=[[1.0, 0, 1, 0], [inf, -inf, 0, inf], [3, 2, 1, 0]])
edge("top_k", lambda x: jax.lax.top_k(x, 2)[0], x=[[1.0, 0, 1, 1], [inf, -inf, 0, inf], [-inf, -inf, -inf, -inf]])
edge("mse", lambda y, t: jnp.mean((y - t) ** 2), "loss", y=[1.0, 2, inf, 0], t=[1.0, 0, 0, 0])
edge("mae", lambda y, t: jnp.mean(jnp.abs(y - t)), "loss", y=[1.0, 2, 0, 0], t=[1.0, 0, 5, -0.0],
     ours={"dy": [0, 0.25, -0.25, 0], "dt": [0, -0.25, 0.25, 0]})
edge("huber", lambda y, t: jnp.mean(optax.huber_loss(y, t)), "loss", y=[1.0, 2, 3, 1000], t=[1.0, 1, 0, -1000])
edge("hinge", lambda z, y: jnp.mean(optax.hinge_loss(z, y)), "loss", z=[1.0, -1, 0.5, 2],
     y=[1.0, -1, 1, 1], ours={"dz": [0, 0, -0.25, 0], "dy": [0, 0, -0.125, 0]})
edge("quantile_loss", lambda y, t: jnp.mean(jnp.where(t > y, 0.5 * (t - y), 0.5 * (y - t))), "loss", y=[1.0, 2, 0],
     t=[1.0, 0, 2])
edge("log_cosh", lambda y, t: jnp.mean(jnp.logaddexp(y - t, t - y) - math.log(2)), "loss", y=[1.0, 2000, 0], t=[1.0, 0, 2000])
edge("cross_entropy", lambda z, l: jnp.mean(integer_ce(z, l)), "loss", z=[[1000.0, 0, 0], [0, 0, 0], [0, -1000, 5]],
     label=[0, 1, 1])
xlogy = jax.scipy.special.xlogy
edge("cross_entropy_of", lambda p, q: -jnp.mean(jnp.sum(xlogy(q, p), -1)), "loss", p=[[1.0, 0, 0], [0.5, 0.5, 0]],
     q=[[1.0, 0, 0], [0, 1, 0]], ours={"dp": [[-0.5, 0, 0], [0, -1, 0]], "dq": [[0, 0, 0], [0, math.log(2) / 2, 0]]})
edge("kl_divergence", lambda p, q: jnp.mean(jnp.sum(xlogy(p, p) - xlogy(p, q), -1)), "loss",
     p=[[1.0, 0, 0], [0.5, 0.5, 0]], q=[[1.0, 0, 0], [0.25, 0.5, 0.25]],
     ours={"dp": [[0.5, 0, 0], [(math.log(2) + 1) / 2, 0.5, 0]], "dq": [[-0.5, 0, 0], [-1, -0.5, 0]]})
edge("bce", lambda p, y: -jnp.mean(xlogy(y, p) + xlogy(1 - y, 1 - p)), "loss", p=[1.0, 0, 0.5, 0.5],
     y=[1.0, 0, 0, 1], ours={"dp": [-0.25, 0.25, 0.5, -0.5], "dy": [0, 0, -math.log(2) / 4, math.log(2) / 4]})
edge("bce_with_logits", lambda z, y: jnp.mean(sigmoid_ce(z, y)), "loss", z=[1000.0, -1000, 0, 1000], y=[1.0, 0, 1, 0])
edge("cosine_similarity", lambda a, b: jnp.sum(a * b) / jnp.sqrt(jnp.sum(a * a) * jnp.sum(b * b) + 1e-8), "s",
     a=[0.0, 0, 0], b=[1.0, 2, 3])
edge("contrastive", lambda a, b, y: jnp.mean(
    y * jnp.sum((a - b) ** 2, -1) + (1 - y) * jax.nn.relu(1 - jnp.sqrt(jnp.sum((a - b) ** 2, -1) + 1e-12)) ** 2), "loss",
    a=[[1.0, 2, 3], [1, 2, 3]], b=[[1.0, 2, 3], [1, 2, 3]], y=[0.0, 1])
edge("triplet", lambda a, p, n: jnp.mean(jax.nn.relu(jnp.sum((a - p) ** 2, -1) - jnp.sum((a - n) ** 2, -1) + 1)), "loss",
     a=[[0.0, 0]], p=[[0.0, 0]], n=[[1.0, 0]])
gain, offset = np.array([1.0, 2, 3, 4]), np.array([0.5, 0, -0.5, 1])
case(T, "try_edge_layer_norm", layer_norm, x=np.array([[2.0, 2, 2, 2], [0, 0, 0, 0]]), unit=True,
     params={"layer_norm1.gain": gain, "layer_norm1.offset": offset})
case(T, "try_edge_layer_norm_of_one", layer_norm, x=np.array([[2.0], [0]]), unit=True,
     params={"layer_norm1.gain": gain[:1], "layer_norm1.offset": offset[:1]})
case(T, "try_edge_rms_norm", lambda x, g: x / jnp.sqrt(jnp.mean(x * x, -1, keepdims=True) + 1e-5) * g, unit=True,
     x=np.array([[0.0, 0, 0], [0.0078125, 0, 0]]), params={"rms_norm1.gain": gain[:3]})

folder = pathlib.Path(__file__).parent / "ops"
folder.mkdir(exist_ok=True)
for topic, entries in cases.items():
    lines = [f'"{name}": {json.dumps(entry)}' for name, entry in entries.items()]
    (folder / f"{topic}.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")
    print(topic, len(entries))
