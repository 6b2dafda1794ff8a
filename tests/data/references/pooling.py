"""Pooling and resizing."""
import jax
import jax.numpy as jnp
import numpy as np
import torch
import torch.nn.functional as F
from cases import case, variant
from convolutions import T, V


def window(k, stride, pad, maximum):
    def reference(x):
        n = x.ndim - 2
        pads = ((0, 0), (0, 0)) + ((pad, pad),) * n
        start, function = (-jnp.inf, jax.lax.max) if maximum else (0.0, jax.lax.add)
        y = jax.lax.reduce_window(x, start, function, (1, 1) + (k,) * n, (1, 1) + (stride,) * n, pads)
        return y if maximum else y / k ** n
    return reference


def windows(k, stride, pad, maximum):
    pools = {(3, True): F.max_pool1d, (4, True): F.max_pool2d, (5, True): F.max_pool3d,
             (3, False): F.avg_pool1d, (4, False): F.avg_pool2d, (5, False): F.avg_pool3d}
    return window(k, stride, pad, maximum), lambda x: pools[x.ndim, maximum](x, k, stride, pad)


case(T, "try_max_pool1d", *windows(2, 2, 0, True), x=(2, 2, 7))
variant(V, "max_pool1d_of_one", "max_pool1d(x, k = 1)", *windows(1, 1, 0, True), x=(1, 1, 1))
variant(V, "max_pool1d_overlapping", "max_pool1d(x, k = 4, stride = 3, pad = 2)", *windows(4, 3, 2, True), x=(2, 1, 9))
case(T, "try_max_pool2d", *windows(2, 2, 0, True), x=(2, 2, 6, 4))
case(T, "try_max_pool2d_overlapping", *windows(3, 2, 1, True), x=(2, 2, 6, 5))
variant(V, "max_pool2d_of_one", "max_pool2d(x, k = 1)", *windows(1, 1, 0, True), x=(1, 2, 1, 1))
variant(V, "max_pool2d_with_gaps", "max_pool2d(x, k = 2, stride = 3)", *windows(2, 3, 0, True), x=(1, 1, 5, 8))
case(T, "try_average_pool2d", *windows(2, 2, 0, False), x=(2, 2, 6, 4))
case(T, "try_average_pool2d_padded", *windows(3, 2, 1, False), x=(2, 2, 5, 5))
variant(V, "average_pool2d_of_one", "average_pool2d(x, k = 1)", *windows(1, 1, 0, False), x=(1, 2, 1, 1))
variant(V, "average_pool2d_of_all", "average_pool2d(x, k = 4, stride = 1, pad = 2)", *windows(4, 1, 2, False), x=(1, 1, 3, 2))
case(T, "try_average_pool1d", *windows(2, 2, 0, False), x=(2, 2, 7))
variant(V, "average_pool1d_of_one", "average_pool1d(x, k = 1)", *windows(1, 1, 0, False), x=(1, 1, 1))
variant(V, "average_pool1d_overlapping", "average_pool1d(x, k = 4, stride = 3, pad = 2)", *windows(4, 3, 2, False), x=(2, 1, 9))
for word, maximum in [("max", True), ("average", False)]:
    case(T, f"try_{word}_pool3d", *windows(2, 2, 0, maximum), x=(2, 2, 4, 3, 5))
    variant(V, f"{word}_pool3d_of_one", f"{word}_pool3d(x, k = 1)", *windows(1, 1, 0, maximum), x=(1, 2, 1, 1, 1))
    variant(V, f"{word}_pool3d_overlapping", f"{word}_pool3d(x, k = 3, stride = 2, pad = 1)", *windows(3, 2, 1, maximum),
            x=(1, 1, 3, 4, 3))


def places(x):
    return tuple(range(2, x.ndim))


case(T, "try_global_average_pool", lambda x: jnp.mean(x, (2, 3)), lambda x: F.adaptive_avg_pool2d(x, 1)[:, :, 0, 0],
     x=(2, 3, 4, 5))
case(T, "try_global_max_pool", lambda x: jnp.max(x, (2, 3)), lambda x: F.adaptive_max_pool2d(x, 1)[:, :, 0, 0],
     x=(2, 3, 4, 5))
for name, shape in [("of_sequences", (2, 3, 5)), ("of_volumes", (1, 2, 2, 1, 3))]:
    variant(V, f"global_average_pool_{name}", "global_average_pool(x)", lambda x: jnp.mean(x, places(x)),
            lambda x: x.mean(places(x)), x=shape)
    variant(V, f"global_max_pool_{name}", "global_max_pool(x)", lambda x: jnp.max(x, places(x)),
            lambda x: x.amax(places(x)), x=shape)


def covered(n, m):
    return [(i * n // m, -((-(i + 1) * n) // m)) for i in range(m)]


def masks(n, m):
    table = np.array([[a <= h < b for h in range(n)] for a, b in covered(n, m)])
    return lambda x: jnp.where(table, x, 0), lambda x: torch.where(torch.tensor(table), x, 0.0)


case(T, "try_pooling_windows", *masks(7, 3), x=(3, 7))
for n, m in [(5, 5), (3, 4), (6, 1)]:
    variant(V, f"pooling_windows_{n}_to_{m}", f"inside = pooling_windows({n}, {m})\n"
            "y[i, h] = select(inside[i, h], x[i, h], 0.0)", *masks(n, m), x=(m, n))


def adaptive(word, height, width):
    function, peer = (jnp.mean, F.adaptive_avg_pool2d) if word == "average" else (jnp.max, F.adaptive_max_pool2d)

    def reference(x):
        return jnp.stack([jnp.stack([function(x[:, :, a:b, c:d], (2, 3)) for c, d in covered(x.shape[3], width)], -1)
                          for a, b in covered(x.shape[2], height)], -2)
    return reference, lambda x: peer(x, (height, width))


for word in ["average", "max"]:
    case(T, f"try_adaptive_{word}_pool2d", *adaptive(word, 3, 2), x=(2, 2, 7, 5))
    for name, (height, width), shape in [("to_one", (1, 1), (1, 2, 3, 5)), ("to_more", (4, 3), (1, 1, 3, 2))]:
        variant(V, f"adaptive_{word}_pool2d_{name}", f"adaptive_{word}_pool2d(x, {height}, {width})",
                *adaptive(word, height, width), x=shape)


def nearest(s):
    return lambda x: jnp.repeat(jnp.repeat(x, s, 2), s, 3), lambda x: F.interpolate(x, scale_factor=s, mode="nearest")


case(T, "try_upsample_nearest2d", *nearest(2), x=(2, 2, 3, 2))
variant(V, "upsample_nearest2d_by_1", "upsample_nearest2d(x, 1)", *nearest(1), x=(2, 1, 1, 3))
variant(V, "upsample_nearest2d_of_one", "upsample_nearest2d(x, scale = 3)", *nearest(3), x=(1, 2, 1, 1))


def bilinear(height, width):
    return (lambda x: jax.image.resize(x, x.shape[:2] + (height, width), "linear", antialias=False),
            lambda x: F.interpolate(x, (height, width), mode="bilinear"))


def weights(n, m):
    def peer(x):
        return x * F.interpolate(torch.eye(n)[None], m, mode="linear")[0].T
    return lambda x: x * jax.image.resize(jnp.eye(n), (m, n), "linear", antialias=False), peer


case(T, "try_linear_weights", *weights(4, 7), x=(7, 4))
for n, m in [(1, 3), (5, 2), (3, 3)]:
    variant(V, f"linear_weights_{n}_to_{m}", f"x * linear_weights({n}, {m})", *weights(n, m), x=(m, n))
case(T, "try_resize_bilinear", *bilinear(7, 5), x=(2, 2, 4, 3))
variant(V, "resize_bilinear_to_less", "resize_bilinear(x, height = 2, width = 3)", *bilinear(2, 3), x=(1, 2, 5, 4))
variant(V, "resize_bilinear_of_one", "resize_bilinear(x, 2, 1)", *bilinear(2, 1), x=(2, 1, 1, 1))
case(T, "try_upsample_bilinear2d", *bilinear(9, 6), x=(2, 2, 3, 2))
variant(V, "upsample_bilinear2d_by_1", "upsample_bilinear2d(x, 1)", *bilinear(1, 3), x=(2, 1, 1, 3))
variant(V, "upsample_bilinear2d_by_2", "upsample_bilinear2d(x)", *bilinear(4, 6), x=(1, 2, 2, 3))
