"""Where formulas break: zeros, ties, infinities, NaN, numbers that are too large, sizes of one.

`ours` is what comes out by the rules of docs/edges.md where there is no one answer: an extreme passes its gradient to the
first that attains it, max(x, c) at x = c none to x, |x| none at 0, 0 log 0 none to 0, and sums of what is left
out none. Who says otherwise is stored beside it and stands on that page.
"""
import math

import jax
import jax.numpy as jnp
import numpy as np
import optax
import torch
import torch.nn.functional as F
from activations import dense, pointwise, rounded, torch_dense, torch_rounded
from cases import case
from convolutions import convs, depthwise, transposed
from losses import (cosine, gaussian_nll, info_nce, integer_ce, sigmoid_ce, ssim, torch_ce, torch_cosine, torch_gaussian_nll,
                    torch_variation, variation)
from metrics import confusion, torch_confusion
from metrics import top_k as top_k_accuracy
from networks import (attend, group_norms, instance_norm, layer_norm, multi_head, rms_norm, torch_attend, torch_layer_norm,
                      torch_multi_head, torch_rms_norm)
from pooling import adaptive, bilinear, nearest, windows
from recurrent import ctcs, gru_cells, log_sum, lstm_cells, rnn_cells, step_at, torch_log_sum
from shapes import padded, scatter, top_k
from training import batch_norm, torch_batch_norm

T = "edges"
inf, nan = math.inf, math.nan
points = np.array([-inf, -80, -1, -0.0, 0, 1, 80, inf, nan])


def edge(name, reference, peer, out="y", ours=None, differ=(), params=None, state=None, **inputs):
    case(T, f"try_edge_{name}", reference, peer, out, unit=True, second=False, ours=ours, differ=differ, params=params,
         state=state, **{k: np.asarray(v) for k, v in inputs.items()})


# Without sums that would be ∞ - ∞.
reverse_gradient = jax.custom_vjp(lambda x: x)
reverse_gradient.defvjp(lambda x: (x, None), lambda _, dy: (-dy,))


class ReverseGradient(torch.autograd.Function):
    @staticmethod
    def forward(_, x):
        return x.clone()

    @staticmethod
    def backward(_, dy):
        return -dy


# ---- of elements ----

at_kinks = {"abs": [-1, -1, -1, 0, 0, 1, 1, 1, nan], "clip": [0, 0, 0, 1, 1, 0, 0, 0, 0],
            "hard_tanh": [0, 0, 0, 1, 1, 0, 0, 0, 0], "leaky_relu": [0.01] * 5 + [1, 1, 1, 0.01]}
JAX, PyTorch = "JAX", "PyTorch"
say_otherwise = {"leaky_relu": (JAX,), "clip": (JAX,), "hard_tanh": (JAX, PyTorch), "abs": (JAX, PyTorch),
                 **dict.fromkeys(["relu", "relu6", "elu", "selu", "celu", "hard_sigmoid", "sign"], (PyTorch,))}
for name, (function, peer) in {
        **pointwise, "softplus": (jax.nn.softplus, F.softplus), "tanh": (jnp.tanh, torch.tanh), "abs": (jnp.abs, torch.abs),
        "exp": (jnp.exp, torch.exp), "log": (jnp.log, torch.log), "sqrt": (jnp.sqrt, torch.sqrt), "sign": (jnp.sign, torch.sign),
        "round": (jnp.round, torch.round), "floor": (jnp.floor, torch.floor),
        "clip": (lambda x: jnp.clip(x, -1, 1), lambda x: torch.clamp(x, -1, 1))}.items():
    edge(name, function, peer, x=points, ours={"dx": at_kinks[name]} if name in at_kinks else None,
         differ=say_otherwise.get(name, ()))
slopes = {"prelu1.slope": np.array([0.25, 0.5, 2])}
edge("prelu", lambda x, s: jnp.where(x > 0, x, s * x), F.prelu, x=[[0.0, -0.0, 0.0], [inf, -inf, nan]], params=slopes,
     ours={"dx": [[0.25, 0.5, 2], [1, 0.5, 2]], "dtry_edge_prelu.prelu1.slope": [0, -inf, nan]}, differ=(JAX,))

edge("straight_through", rounded, torch_rounded, x=points)
edge("gradient_reversal", reverse_gradient, lambda x: ReverseGradient.apply(x), x=points)

# ---- rows, ties, orders ----

rows = [[1.0, 1, 1], [-inf, 0, 0], [-inf, -inf, -inf], [inf, 0, 0], [nan, 0, 0], [1000, 0, -1000]]
edge("softmax", jax.nn.softmax, lambda x: F.softmax(x, -1), x=rows)
edge("log_softmax", jax.nn.log_softmax, lambda x: F.log_softmax(x, -1), x=rows)
edge("softmax_of_one", jax.nn.softmax, lambda x: F.softmax(x, -1), x=[[0.0], [-inf], [inf], [1000]])
ties = [[1.0, 1, 0], [-inf, -inf, -inf], [0, nan, 1], [inf, 0, inf]]
edge("max", lambda x: jnp.max(x, -1), lambda x: x.max(-1)[0], x=ties, ours={"dx": [[1, 0, 0], [1, 0, 0], [0, 1, 0], [1, 0, 0]]},
     differ=(JAX,))
edge("min", lambda x: jnp.min(x, -1), lambda x: x.min(-1)[0], x=ties, ours={"dx": [[0, 0, 1], [1, 0, 0], [0, 1, 0], [0, 1, 0]]},
     differ=(JAX,))
edge("argmax", lambda x: jnp.argmax(x, -1), lambda x: x.argmax(-1), x=ties)
image = np.array([[1.0, 1, 0, 0], [1, 1, 0, -0.0], [-1, -1, nan, 2], [-2, -1, 3, 2]])[None, None]
edge("max_pool2d", *windows(2, 2, 0, True), x=image, ours={"dx": np.kron(np.ones((2, 2)), [[1, 0], [0, 0]])[None, None]},
     differ=(JAX,))
edge("average_pool2d", *windows(2, 2, 0, False), x=[[[[1.0, inf, inf, -inf], [1, 1, 0, 0]]]])
row = [[[1.0, 1, 0, -0.0, nan, 2, -inf, -inf]]]
edge("max_pool1d", *windows(2, 2, 0, True), x=row, ours={"dx": [[[1, 0, 1, 0, 1, 0, 1, 0]]]}, differ=(JAX,))
edge("average_pool1d", *windows(2, 2, 0, False), x=[[[1.0, inf, inf, -inf, nan, 0, 1, -1]]])
block = np.array([1.0, 1, 0, nan, 1, 1, 2, 2, 0, 0, -0.0, 0, 3, -inf, 3, -inf]).reshape(1, 1, 2, 2, 4)
edge("max_pool3d", *windows(2, 2, 0, True), x=block, differ=(JAX,), ours={
    "dx": [[[[[0, 0, 0, 1], [0, 0, 0, 0]], [[0, 0, 0, 0], [1, 0, 0, 0]]]]]})
edge("average_pool3d", *windows(2, 2, 0, False), x=[[[[[1.0, inf], [1, 1]], [[inf, 0], [0, 1]]]]])
edge("global_max_pool", lambda x: jnp.max(x, -1), lambda x: x.max(-1)[0], x=[[[1.0, 1, 0]], [[-inf, -inf, -inf]]],
     ours={"dx": [[[1, 0, 0]], [[1, 0, 0]]]}, differ=(JAX,))
unsorted = [[1.0, 0, 1, 0], [inf, -inf, 0, inf], [3, 2, 1, 0], [1, nan, -1, nan]]
edge("sort", lambda x: jnp.sort(x, -1), lambda x: x.sort(-1)[0], x=unsorted)
edge("argsort", lambda x: jnp.argsort(x), lambda x: x.argsort(stable=True), x=unsorted)
edge("top_k", lambda x: jax.lax.top_k(x, 2)[0], lambda x: top_k(2)[1](x)[0],
     x=[[1.0, 0, 1, 1], [inf, -inf, 0, inf], [-inf, -inf, -inf, -inf], [1, nan, -1, nan]], differ=(PyTorch,))
edge("cumulative_sum", lambda x: jnp.cumsum(x, -1), lambda x: x.cumsum(-1), x=[[1.0, inf, 1], [inf, -inf, 1], [0, nan, 1]])

# ---- sums of products, and what has weights ----


def layer(name, K, biases):
    return {f"{name}1.K": np.asarray(K, float), f"{name}1.b": np.zeros(biases)}


edge("dense", dense, torch_dense, x=[[inf, 1], [nan, 1], [0, 0]], params={"dense1.W": np.array([[0.0, 1], [1, 1]]),
     "dense1.b": np.zeros(2)})
edge("batched_product", jnp.matmul, torch.matmul, a=[[inf, 1], [1, 0]], b=[[0.0, 1], [1, inf]])
edge("conv1d", *convs(1, pad=1), x=[[[inf, 1, 1, 1, nan, 1]]], params=layer("conv1d", [[[1, 0, 1]]], 1))
edge("conv1d_of_an_infinite_kernel", *convs(1, pad=1), x=[[[1.0, 1, 1]]], params=layer("conv1d", [[[inf, 1, 1]]], 1),
     ours={"y": [[[nan, inf, inf]]], "dx": [[[inf, inf, nan]]]}, differ=(JAX, PyTorch))
edge("conv2d", *convs(2, pad=1), x=[[[[inf, 1, 1], [1, 1, 1]]]], params=layer("conv2d", [[[[0, 1, 1], [1, 0, 1], [1, 1, 1]]]], 1))
edge("conv3d", *convs(3, pad=1), x=[[[[[inf, 1], [1, 1]]]]], params=layer("conv3d", np.arange(27).reshape(1, 1, 3, 3, 3) % 2, 1))
edge("grouped_conv1d", *convs(1, pad=1, groups=2), x=[[[inf, 1, 1], [1, 1, 1]]],
     params=layer("grouped_conv1d", [[[1, 0, 1]], [[1, 1, 1]]], 2), ours={"y": [[[nan, inf, 1], [2, 3, 2]]]}, differ=(JAX,))
edge("depthwise_conv1d", *depthwise(2, 1, pad=1), x=[[[nan, 1, 1], [1, 1, inf]]],
     params=layer("depthwise_conv1d", [[1, 0, 1], [1, 1, 1]], 2), ours={"y": [[[nan, nan, 1], [2, inf, inf]]]}, differ=(JAX,))
edge("transposed_conv1d", *transposed(3, 2, 0, n=1), x=[[[inf, 1, nan]]], params=layer("transposed_conv1d", [[[1, 0, 1]]], 1),
     ours={"y": [[[inf, nan, inf, nan, nan, nan, nan]]]}, differ=(JAX, PyTorch))
edge("global_average_pool", lambda x: jnp.mean(x, -1), lambda x: x.mean(-1), x=[[[inf, 1]], [[inf, -inf]], [[nan, 1]]])
edge("adaptive_average_pool2d", *adaptive("average", 1, 3), x=[[[[inf, 1, 1, 1, nan]]]])
edge("adaptive_max_pool2d", *adaptive("max", 1, 3), x=[[[[1.0, 1, 0, nan, 2], [1, 0, 0, 1, 2]]]],
     ours={"dx": [[[[1, 0, 0, 2, 0], [0, 0, 0, 0, 0]]]]}, differ=(JAX,))
edge("upsample_nearest2d", *nearest(2), x=[[[[inf, 1, nan]]]])
edge("upsample_bilinear2d", *bilinear(2, 8), x=[[[[inf, 1, 1, 1]]]], differ=(PyTorch,))
edge("resize_bilinear", *bilinear(1, 3), x=[[[[inf, 1, 1, 1, 1]]]], differ=(PyTorch,))
edge("glu", lambda x: jax.nn.glu(x), lambda x: F.glu(x), x=[[inf, 0], [1, -inf], [inf, -inf], [1, inf], [nan, -80]])


def turned(cos, sin, stack):
    return lambda x: stack([x[:, 0] * cos(1.0 * np.arange(2)) - x[:, 1] * sin(1.0 * np.arange(2)),
                            x[:, 1] * cos(1.0 * np.arange(2)) + x[:, 0] * sin(1.0 * np.arange(2))], -1)


edge("rotary", turned(np.cos, np.sin, jnp.stack), turned(lambda a: torch.cos(torch.tensor(a)), lambda a: torch.sin(torch.tensor(a)),
                                                        torch.stack), x=[[inf, 1], [nan, 1]])

# ---- what is moved, or looked up ----

edge("pad2d", *padded(1, 0.5), x=[[nan, 1]])
edge("concat", lambda x, z: jnp.concatenate([x, z], -1), lambda x, z: torch.cat([x, z], -1), x=[[nan, inf], [1, 2]], z=[[1.0], [nan]])
edge("concat_channels", lambda x, z: jnp.concatenate([x, z], 1), lambda x, z: torch.cat([x, z], 1), x=[[[nan, inf]]], z=[[[1.0, 2]]])
edge("stack", lambda x, z: jnp.stack([x, z], -1), lambda x, z: torch.stack([x, z], -1), x=[nan, inf, 1], z=[1.0, 2, nan])
edge("take", lambda x, i: x[i], lambda x, i: F.embedding(i, x), x=[[nan, 1], [2, inf], [3, 4]], ids=[2, 0, 2, 2])
edge("embedding", lambda i, E: E[i], lambda i, E: F.embedding(i, E), ids=[2, 0, 2],
     params={"embedding1.E": np.array([[nan, 1], [2, inf], [3, 4]])})
edge("scatter_add", *scatter(4), x=[[1.0], [inf], [nan], [2]], ids=[0, 1, 3, 0])
edge("one_hot", lambda l, x: jax.nn.one_hot(l, 3, dtype=x.dtype) * x, "it refuses classes that there are not", label=[-1, 3, 1, 0],
     x=np.ones((4, 3)))
reach = lambda where: lambda n, x: where(np.arange(3) < np.asarray(n)[:, None], x)  # noqa: E731
edge("padding_mask", reach(lambda k, x: jnp.where(k, x, 0)), reach(lambda k, x: torch.where(torch.tensor(k), x, 0.0)),
     length=[-1, 0, 2, 5], x=[[nan, 1, 1], [1, 1, 1], [1, 1, nan], [inf, 1, 1]])
edge("step_at", step_at, lambda x, n: step_at(x, n.numpy()), x=[[[1.0], [2], [3]], [[1], [2], [3]], [[nan], [2], [3]], [[nan], [2], [3]]],
     length=[-1, 9, 2, 1])

# ---- along time ----

by_zero = "ours multiplies what stands for the input by ones and zeros"
edge("rnn_cells", rnn_cells, by_zero, "h", a=[[[inf], [0]], [[-inf], [1]], [[nan], [0]]], U=[[0.0]])
gates = lambda i, f, g, o: [i, f, g, o]  # noqa: E731
edge("lstm_cells", lambda a, U: lstm_cells(a, U)[0], by_zero, "h",
     a=[[gates(inf, inf, inf, inf), gates(-inf, inf, 1, inf)], [gates(-inf, -inf, 1, 0), gates(80, 80, 80, -80)],
        [gates(0, 0, nan, 0), gates(0, -inf, 0, 0)]], U=[[0.0, 0, 0, 0]])
edge("gru_cells", gru_cells, by_zero, "h", a=[[[inf, -inf, inf], [0, inf, 1]], [[-inf, 80, 1], [0, -80, -inf]],
     [[nan, 0, 0], [0, -inf, 0]]], U=[[0.0, 0, 0]], v=[0.0, 0, 0])
edge("log_sum_exp3", log_sum, torch_log_sum, a=[0.0, 1000, -inf, inf, nan, -inf], b=[0.0, -1000, 0, 0, 0, -inf],
     c=[0.0, 0, 0, 0, 0, -inf], ours={"y": [math.log(3), 1000, math.log(2), nan, nan, nan], "da": [1 / 3, 1, 0, nan, nan, nan],
     "db": [1 / 3, 0, 0.5, nan, nan, nan], "dc": [1 / 3, 0, 0.5, nan, nan, nan]}, differ=(JAX, PyTorch))

# ---- losses ----

edge("mse", lambda y, t: jnp.mean((y - t) ** 2), F.mse_loss, "loss", y=[1.0, 2, inf, 0], t=[1.0, 0, 0, 0])
edge("mae", lambda y, t: jnp.mean(jnp.abs(y - t)), F.l1_loss, "loss", y=[1.0, 2, 0, 0], t=[1.0, 0, 5, -0.0],
     ours={"dy": [0, 0.25, -0.25, 0], "dt": [0, -0.25, 0.25, 0]}, differ=(JAX,))
edge("huber", lambda y, t: jnp.mean(optax.huber_loss(y, t)), F.huber_loss, "loss", y=[1.0, 2, 3, 1000], t=[1.0, 1, 0, -1000])
edge("hinge", lambda z, y: jnp.mean(optax.hinge_loss(z, y)), lambda z, y: F.relu(1 - y * z).mean(), "loss", z=[1.0, -1, 0.5, 2],
     y=[1.0, -1, 1, 1], ours={"dz": [0, 0, -0.25, 0], "dy": [0, 0, -0.125, 0]}, differ=(JAX,))
edge("quantile_loss", lambda y, t: jnp.mean(jnp.where(t > y, 0.5 * (t - y), 0.5 * (y - t))),
     lambda y, t: torch.where(t > y, 0.5 * (t - y), 0.5 * (y - t)).mean(), "loss", y=[1.0, 2, 0], t=[1.0, 0, 2])
edge("log_cosh", lambda y, t: jnp.mean(jnp.logaddexp(y - t, t - y) - math.log(2)),
     lambda y, t: (torch.logaddexp(y - t, t - y) - math.log(2)).mean(), "loss", y=[1.0, 2000, 0], t=[1.0, 0, 2000])
edge("cross_entropy", lambda z, l: jnp.mean(integer_ce(z, l)), torch_ce, "loss", z=[[1000.0, 0, 0], [0, 0, 0], [0, -1000, 5]],
     label=[0, 1, 1])
edge("cross_entropy_smoothed", lambda z, l: jnp.mean(optax.softmax_cross_entropy(z, optax.smooth_labels(
    jax.nn.one_hot(l, 3, dtype=z.dtype), 0.1))), lambda z, l: torch_ce(z, l, label_smoothing=0.1), "loss",
    z=[[1000.0, 0, 0], [0, 0, 0]], label=[1, 1])
edge("cross_entropy_soft", lambda z, q: jnp.mean(optax.softmax_cross_entropy(z, q)), lambda z, q: F.cross_entropy(z, q), "loss",
     z=[[1000.0, 0, 0], [0, 0, 0]], q=[[1.0, 0, 0], [0, 0, 0]])
xlogy = jax.scipy.special.xlogy
txlogy = torch.special.xlogy
edge("cross_entropy_of", lambda p, q: -jnp.mean(jnp.sum(xlogy(q, p), -1)), lambda p, q: -txlogy(q, p).sum(-1).mean(), "loss",
     p=[[1.0, 0, 0], [0.5, 0.5, 0]], q=[[1.0, 0, 0], [0, 1, 0]],
     ours={"dp": [[-0.5, 0, 0], [0, -1, 0]], "dq": [[0, 0, 0], [0, math.log(2) / 2, 0]]}, differ=(JAX, PyTorch))
edge("kl_divergence", lambda p, q: jnp.mean(jnp.sum(xlogy(p, p) - xlogy(p, q), -1)),
     lambda p, q: (txlogy(p, p) - txlogy(p, q)).sum(-1).mean(), "loss",
     p=[[1.0, 0, 0], [0.5, 0.5, 0]], q=[[1.0, 0, 0], [0.25, 0.5, 0.25]],
     ours={"dp": [[0.5, 0, 0], [(math.log(2) + 1) / 2, 0.5, 0]], "dq": [[-0.5, 0, 0], [-1, -0.5, 0]]}, differ=(JAX, PyTorch))
edge("kl_divergence_of_nothing", lambda p, q: jnp.mean(jnp.sum(xlogy(p, p) - xlogy(p, q), -1)),
     lambda p, q: (txlogy(p, p) - txlogy(p, q)).sum(-1).mean(), "loss", p=[[0.5, 0.5]], q=[[1.0, 0]])
edge("bce", lambda p, y: -jnp.mean(xlogy(y, p) + xlogy(1 - y, 1 - p)), F.binary_cross_entropy, "loss", p=[1.0, 0, 0.5, 0.5],
     y=[1.0, 0, 0, 1], ours={"dp": [-0.25, 0.25, 0.5, -0.5], "dy": [0, 0, -math.log(2) / 4, math.log(2) / 4]}, differ=(JAX, PyTorch))
edge("bce_with_logits", lambda z, y: jnp.mean(sigmoid_ce(z, y)), F.binary_cross_entropy_with_logits, "loss",
     z=[1000.0, -1000, 0, 1000], y=[1.0, 0, 1, 0])
by_log = lambda y, p, q, logp, logq: y * q ** 2 * -logp + (1 - y) * p ** 2 * -logq  # noqa: E731
edge("focal", lambda z, y: jnp.mean(by_log(y, *map(jax.nn.sigmoid, (z, -z)), *map(jax.nn.log_sigmoid, (z, -z)))),
     lambda z, y: by_log(y, *map(torch.sigmoid, (z, -z)), *map(F.logsigmoid, (z, -z))).mean(), "loss",
     z=[1000.0, -1000, 0, 1000], y=[1.0, 0, 1, 0])
overlap = lambda mean: lambda p, t: 1 - mean((2 * (p * t).sum(-1) + 1) / (p.sum(-1) + t.sum(-1) + 1))  # noqa: E731
edge("dice", overlap(jnp.mean), overlap(torch.mean), "loss", p=[[0.0, 0], [1, 1], [1, 0], [0.5, 0.5]],
     t=[[0.0, 0], [1, 1], [0, 1], [0, 0]])
edge("total_variation", variation, torch_variation, "loss", x=[[[[1.0, 1, 2], [1, 1, 1]]]],
     ours={"dx": [[[[0, -1, 2], [0, 0, -1]]]]}, differ=(JAX,))
edge("total_variation_of_a_row", variation, torch_variation, "loss", x=[[[[1.0, 3, 2]]], [[[0.0, 0.5, inf]]]])
edge("total_variation_of_one", variation, torch_variation, "loss", x=[[[[2.0]]]])
edge("ssim_of_equals", *ssim(2), "s", x=[[[[0.0, 0, 0], [0, 0, 0]], [[1.0, 1, 1], [1, 1, 1]]]],
     y=[[[[0.0, 0, 0], [0, 0, 0]], [[1.0, 1, 1], [1, 1, 1]]]], ours={"dx": np.zeros((1, 2, 2, 3)), "dy": np.zeros((1, 2, 2, 3))})
edge("ssim_of_opposites", *ssim(2, 8), "s", x=[[[[0.0, 1], [1, 0]]]], y=[[[[1.0, 0], [0, 1]]]])
edge("cosine_similarity", cosine, torch_cosine, "s", a=[0.0, 0, 0], b=[1.0, 2, 3])
distance = lambda m, total, root, relu: lambda a, b, y: m(  # noqa: E731
    y * total((a - b) ** 2, -1) + (1 - y) * relu(1 - root(total((a - b) ** 2, -1) + 1e-12)) ** 2)
edge("contrastive", distance(jnp.mean, jnp.sum, jnp.sqrt, jax.nn.relu), distance(torch.mean, torch.sum, torch.sqrt, F.relu), "loss",
     a=[[1.0, 2, 3], [1, 2, 3]], b=[[1.0, 2, 3], [1, 2, 3]], y=[0.0, 1])
near = lambda m, total, relu: lambda a, p, n: m(relu(total((a - p) ** 2, -1) - total((a - n) ** 2, -1) + 1))  # noqa: E731
edge("triplet", near(jnp.mean, jnp.sum, jax.nn.relu), near(torch.mean, torch.sum, F.relu), "loss",
     a=[[0.0, 0]], p=[[0.0, 0]], n=[[1.0, 0]])
edge("info_nce_of_one", *info_nce(0.1), "loss", a=[[1.0, 2]], b=[[3.0, -1]])
edge("info_nce_of_equals", *info_nce(0.1), "loss", a=[[1.0, 0], [1, 0]], b=[[2.0, 1], [2, 1]])
edge("info_nce_of_large", *info_nce(0.1), "loss", a=[[100.0, 0], [0, 100]], b=[[100.0, 0], [0, 100]])
edge("gaussian_nll", gaussian_nll, torch_gaussian_nll, "loss", mu=[0.0, 1, 1, 1], logvar=[0.0, 80, -80, 2], t=[0.0, 1, 1, 3])
exact_nll = lambda m, exp: lambda mu, lv, t: 0.5 * m(lv + (t - mu) ** 2 * exp(-lv))  # noqa: E731
edge("gaussian_nll_without_variance", exact_nll(jnp.mean, jnp.exp), exact_nll(torch.mean, torch.exp), "loss",
     mu=[1.0, 1], logvar=[-inf, inf], t=[1.0, 2])
kl = lambda m, exp: lambda mu, lv: m(0.5 * (exp(lv) + mu ** 2 - 1 - lv).sum(-1))  # noqa: E731
edge("gaussian_kl", kl(jnp.mean, jnp.exp), kl(torch.mean, torch.exp), "loss", mu=[[0.0, 1], [0, 0]], logvar=[[0.0, -80], [-inf, 0]])
kl_of = lambda m, log: lambda mu, s: m((0.5 * (s ** 2 + mu ** 2 - 1) - log(s)).sum(-1))  # noqa: E731
edge("gaussian_kl_of", kl_of(jnp.mean, jnp.log), kl_of(torch.mean, torch.log), "loss", mu=[[0.0, 1]], sigma=[[1.0, 0]])
edge("poisson_nll", lambda z, n: jnp.mean(jnp.exp(z) - n * z), F.poisson_nll_loss, "loss", z=[-inf, 0.0, -80], n=[0.0, 0, 1])


def ctc_with_floor(logits, labels, frames, letters):
    """One sequence, with -1e30 for log 0 as in the prelude, where optax has -1e5 and PyTorch has -inf."""
    y, signs, nothing = jax.nn.log_softmax(logits[0]), [0], -1e30
    for letter in labels[0]:
        signs += [int(letter), 0]
    p = [0.0] + [nothing] * (len(signs) - 1)
    for t in range(int(frames[0])):
        skips = [j > 1 and j % 2 == 1 and signs[j] != signs[j - 2] for j in range(len(signs))]
        before = [jnp.array([p[j], p[j - 1] if j > 0 else nothing, p[j - 2] if skips[j] else nothing]) for j in range(len(signs))]
        p = [y[t, s] + jax.nn.logsumexp(b) for s, b in zip(signs, before, strict=True)]
    return -jax.nn.logsumexp(jnp.array([p[-1], p[-2], nothing]))[None]


# Fewer frames than the letters and the blanks between equal ones need: impossible.
edge("ctc_that_does_not_fit", ctc_with_floor, ctcs(False)[1], "loss", logits=np.zeros((1, 2, 3)), labels=[[1, 1]], frames=[2],
     letters=[2], differ=(PyTorch,))

edge("ctc_of_one_frame", *ctcs(False), "loss", logits=[[[1000.0, 0]], [[0, 1000]], [[0, 0]]], labels=[[1], [1], [1]], frames=[1, 1, 1],
     letters=[1, 1, 0])

# ---- metrics ----

edge("accuracy_of_ties", lambda z, l: jnp.mean((jnp.argmax(z, -1) == l).astype(z.dtype)),
     lambda z, l: (z.argmax(-1) == l).double().mean(), "a", z=[[1.0, 1], [1, 1], [nan, 1]], label=[0, 1, 0])
edge("top_k_accuracy_of_ties", *top_k_accuracy(1), "a", z=[[1.0, 1, 0], [1, 1, 0]], label=[0, 1], ours={"a": 1}, differ=(JAX, PyTorch))
share = lambda z, y: ((z > 0) & (y > 0)).sum() / (z > 0).sum()  # noqa: E731
for name, function in [("precision", share), ("recall", lambda z, y: share(y, z)),
                       ("f1", lambda z, y: 2 * ((z > 0) & (y > 0)).sum() / ((z > 0).sum() + (y > 0).sum()))]:
    edge(f"{name}_of_none", function, function, name[0], z=[-1.0, 0], y=[0.0, 0], ours={name[0]: 0}, differ=(JAX, PyTorch))
r2 = lambda y, t: 1 - ((t - y) ** 2).sum() / ((t - t.mean()) ** 2).sum()  # noqa: E731
edge("r_squared_of_constants", r2, r2, "r", y=[1.0, 2], t=[1.0, 1])
edge("r_squared_of_one", r2, r2, "r", y=[1.0], t=[1.0])
edge("perplexity", lambda z, l: jnp.exp(jnp.mean(integer_ce(z, l))), lambda z, l: torch.exp(torch_ce(z, l)), "p",
     z=[[0.0, -80], [0, 0]], label=[1, 0])

edge("confusion_of_ties", confusion, torch_confusion, "m", z=[[1.0, 1], [1, 1], [nan, 1], [0, inf]], label=[0, 1, 0, 1])

# ---- norms ----

gain, offset = np.array([1.0, 2, 3, 4]), np.array([0.5, 0, -0.5, 1])


def affine(path, n):
    return {f"{path}.gain": gain[:n], f"{path}.offset": offset[:n]}


edge("layer_norm", layer_norm, torch_layer_norm, x=[[2.0, 2, 2, 2], [0, 0, 0, 0]], params=affine("layer_norm1", 4))
edge("layer_norm_of_one", layer_norm, torch_layer_norm, x=[[2.0], [0]], params=affine("layer_norm1", 1))
edge("layer_norm_of_infinity", layer_norm, torch_layer_norm, x=[[inf, 0], [nan, 0]], params=affine("layer_norm1", 2))
edge("rms_norm", rms_norm, torch_rms_norm, x=[[0.0, 0, 0], [0.0078125, 0, 0]], params={"rms_norm1.gain": gain[:3]})
edge("rms_norm_of_one", rms_norm, torch_rms_norm, x=[[0.0], [-3]], params={"rms_norm1.gain": gain[:1]})
edge("group_norm_of_constants", *group_norms(2), x=[[[2.0, 2], [2, 2], [0, 1], [0, 1]]], params=affine("group_norm1", 4))
edge("group_norm_of_one", *group_norms(2), x=[[2.0, 0], [-1, 1]], params=affine("group_norm1", 2))
edge("instance_norm_of_constants", *instance_norm(1e-5), x=[[[2.0, 2], [0, 1]]], params=affine("instance_norm1", 2))
# PyTorch refuses an instance of one place.
edge("instance_norm_of_one", instance_norm(1e-5)[0], "it refuses instances of one place", x=[[[2.0], [0]]],
     params=affine("instance_norm1", 2))
edge("batch_norm_without_spread", batch_norm, torch_batch_norm, x=[[2.0, 0], [1, -1]], params=affine("batch_norm1", 2),
     state={"batch_norm1.running_mean": [2.0, 0], "batch_norm1.running_variance": [0.0, 0]})

# ---- attention ----

yes, no = True, False
mask = [[yes, no, yes], [no, no, no], [no, no, yes]]
qkv = dict(q=[[1.0, 0], [0, 1], [1, 1]], k=[[1.0, 0], [0, 2], [1, -1]], v=[[1.0], [2], [4]])
edge("masked_attention", attend, torch_attend, **qkv, keep=mask, differ=(PyTorch,))
edge("masked_attention_to_one", attend, torch_attend, q=[[1.0], [2]], k=[[3.0]], v=[[4.0]], keep=[[yes], [no]],
     ours={"y": [[4], [4]], "dv": [[2]]}, differ=(JAX, PyTorch))
edge("attention_to_one", attend, torch_attend, q=[[1.0], [2]], k=[[3.0]], v=[[4.0]])
edge("attention_of_large", attend, torch_attend, q=[[1000.0], [0]], k=[[1000.0], [999]], v=[[1.0], [2]])
edge("causal_attention_of_one", attend, lambda q, k, v: torch_attend(q, k, v, is_causal=True), q=[[1.0]], k=[[3.0]], v=[[4.0]])
unit = np.eye(2)
weights = {f"attend.{part}": w for part, w in [("query.W", unit), ("key.W", unit), ("value.W", unit), ("out.W", unit),
                                                ("out.b", np.zeros(2))]}
edge("multi_head_attention_of_none", lambda x, n, *w: multi_head(x, x, *w, heads=1, keep=(np.arange(2) < n[:, None])[:, None, None]),
     lambda x, n, *w: torch_multi_head(x, x, *w, heads=1, keep=(torch.arange(2) < n[:, None])[:, None, None]),
     x=[[[1.0, 2], [3, 4]], [[1.0, 2], [3, 4]]], length=[0, 1], params=weights, differ=(PyTorch,))
