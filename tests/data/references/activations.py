"""Dense layers and activations."""
import jax
import jax.numpy as jnp
import numpy as np
import torch
import torch.nn.functional as F
from cases import case, variant

T, V = "activations", "activations_varied"
stop = jax.lax.stop_gradient


def dense(x, W, b=0):
    return x @ W + b


def torch_dense(x, W, b=None):
    return F.linear(x, W.T, b)


def rounded(x):
    return jnp.tanh(x) + stop(jnp.round(x) - jnp.tanh(x))


def torch_rounded(x):
    return torch.tanh(x) + (torch.round(x) - torch.tanh(x)).detach()


def reversal(scale):
    return lambda x: (1 + scale) * stop(x) - scale * x, lambda x: (1 + scale) * x.detach() - scale * x


def slope(x, slope):
    return jnp.where(x > 0, x, slope * x)


def torch_slope(x, slope):  # its channels are the second dim, ours the last
    return F.prelu(x.reshape(-1, x.shape[-1]), slope).reshape(x.shape)


case(T, "try_dense", dense, torch_dense, x=(4, 3, 5), params={"dense1.W": (5, 4), "dense1.b": (4,)})
case(T, "try_dense_without_bias", dense, torch_dense, x=(4, 5), params={"dense1.W": (5, 7)})
case(T, "try_dense_of_a_vector", dense, torch_dense, x=(5,), params={"dense1.W": (5, 1), "dense1.b": (1,)})

# Of elements: JAX, PyTorch. Its hardsigmoid and hardswish take 1/6 as a float.
pointwise = {
    "relu": (jax.nn.relu, F.relu),
    "leaky_relu": (jax.nn.leaky_relu, F.leaky_relu),
    "elu": (jax.nn.elu, F.elu),
    "sigmoid": (jax.nn.sigmoid, torch.sigmoid),
    "silu": (jax.nn.silu, F.silu),
    "softplus": (jax.nn.softplus, lambda x: F.softplus(x, threshold=1e3)),
    "gelu": (lambda x: jax.nn.gelu(x, approximate=False), F.gelu),
    "hard_tanh": (jax.nn.hard_tanh, F.hardtanh),
    "selu": (jax.nn.selu, F.selu),
    "softsign": (jax.nn.soft_sign, F.softsign),
    "mish": (jax.nn.mish, F.mish),
    "log_sigmoid": (jax.nn.log_sigmoid, F.logsigmoid),
    "gelu_tanh": (lambda x: jax.nn.gelu(x, approximate=True), lambda x: F.gelu(x, approximate="tanh")),
    "relu6": (jax.nn.relu6, F.relu6),
    "hard_sigmoid": (jax.nn.hard_sigmoid, lambda x: F.relu6(x + 3) / 6),
    "hard_swish": (jax.nn.hard_swish, lambda x: x * F.relu6(x + 3) / 6),
    "celu": (jax.nn.celu, F.celu),
}
stretched = {"relu6": 4, "hard_sigmoid": 2, "hard_swish": 2}


def scaled(f, by):
    return lambda x: f(by * x)


for name, (ours, theirs) in pointwise.items():
    by = stretched.get(name, 1)
    if name != "celu":
        case(T, f"try_{name}", scaled(ours, by), scaled(theirs, by), x=(4, 6))
    written = f"{name}({by} * x)" if by != 1 else f"{name}(x)"
    variant(V, f"{name}_of_one", written, scaled(ours, by), scaled(theirs, by), x=(1,))
    variant(V, f"{name}_of_many_dims", written, scaled(ours, by), scaled(theirs, by), x=(2, 1, 3, 5))
case(T, "try_leaky_relu_steeper", lambda x: jax.nn.leaky_relu(x, 0.25), lambda x: F.leaky_relu(x, 0.25), x=(6,))
case(T, "try_elu_larger", lambda x: jax.nn.elu(x, 1.5), lambda x: F.elu(x, 1.5), x=(6,))
case(T, "try_celu", lambda x: jax.nn.celu(x, 0.5), lambda x: F.celu(x, 0.5), x=(4, 6))

softmax, torch_softmax = jax.nn.softmax, lambda x: F.softmax(x, -1)
log_softmax, torch_log_softmax = jax.nn.log_softmax, lambda x: F.log_softmax(x, -1)
case(T, "try_softmax", softmax, torch_softmax, x=(4, 3, 5))
case(T, "try_softmax_of_large", scaled(softmax, 100), scaled(torch_softmax, 100), x=(4, 5))
case(T, "try_softmax_of_one", softmax, torch_softmax, x=(4, 1))
case(T, "try_log_softmax", log_softmax, torch_log_softmax, x=(4, 3, 5))
case(T, "try_log_softmax_of_large", scaled(log_softmax, 100), scaled(torch_log_softmax, 100), x=(4, 5))
variant(V, "log_softmax_of_one", "log_softmax(x)", log_softmax, torch_log_softmax, x=(2, 1))
variant(V, "log_softmax_of_a_vector", "log_softmax(x)", log_softmax, torch_log_softmax, x=(17,))
variant(V, "softmax_of_a_vector", "softmax(x)", softmax, torch_softmax, x=(17,))

glu, torch_glu = jax.nn.glu, lambda x: F.glu(x, -1)
case(T, "try_glu", glu, torch_glu, x=(4, 6))
variant(V, "glu_of_two", "glu(x)", glu, torch_glu, x=(2,))
variant(V, "glu_of_many_dims", "glu(x)", glu, torch_glu, x=(2, 1, 3, 10))
case(T, "try_prelu", slope, torch_slope, x=(4, 6), params={"prelu1.slope": (6,)})
variant(V, "prelu_of_one", "x |> prelu", slope, torch_slope, x=(3, 1), params={"prelu1.slope": (1,)})
variant(V, "prelu_of_many_dims", "x |> prelu", slope, torch_slope, x=(2, 1, 3, 5), params={"prelu1.slope": (5,)})


def clip(low, high):
    return lambda x: jnp.clip(x, low, high), lambda x: torch.clamp(x, low, high)


case(T, "try_clip", *clip(-0.5, 1.25), x=(4, 6))
variant(V, "clip_of_one", "clip(x, -1.5, -0.25)", *clip(-1.5, -0.25), x=(1,))
variant(V, "clip_of_many_dims", "clip(x, low = 0.0, high = 0.5)", *clip(0, 0.5), x=(2, 1, 3, 5))
case(T, "try_straight_through", rounded, torch_rounded, x=(4, 6))
variant(V, "straight_through_of_one", "straight_through(round(x), tanh(x))", rounded, torch_rounded, x=(1,))
variant(V, "straight_through_of_many_dims", "straight_through(round(x), tanh(x))", rounded, torch_rounded, x=(2, 1, 3, 2))
case(T, "try_gradient_reversal", *reversal(0.5), x=(4, 6))
variant(V, "gradient_reversal_of_one", "gradient_reversal(x)", *reversal(1), x=(1,))
variant(V, "gradient_reversal_of_many_dims", "gradient_reversal(x, scale = 3.0)", *reversal(3), x=(2, 1, 3, 2))

# So far apart that chance changes nothing: the gradient is none.
apart = np.argsort(np.random.default_rng(21).random((4, 6)), 1) / 16
largest = lambda x: jax.nn.one_hot(jnp.argmax(x, -1), x.shape[-1], dtype=x.dtype)  # noqa: E731
torch_largest = lambda x: F.gumbel_softmax(4000 * x, hard=True)  # noqa: E731
case(T, "try_gumbel_softmax", largest, torch_largest, x=apart)
variant(V, "gumbel_softmax_of_one", "gumbel_softmax(x)", lambda x: jnp.ones_like(x), lambda x: F.gumbel_softmax(x), x=(3, 1))
variant(V, "gumbel_softmax_of_a_vector", "gumbel_softmax(4000 * x, temperature = 0.5)", largest,
        lambda x: F.gumbel_softmax(4000 * x, tau=0.5), x=apart[0])
