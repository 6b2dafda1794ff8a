#!/usr/bin/env python3
"""Writes ops/*.json: what JAX and optax say of the specs in tests/ops/samples.

    pip install jax optax && python3 tests/data/ops.py

Every case names a net or step of a sample, its values, and what must come out: outputs, their
gradients for drawn cotangents, or the parameters after each of some updates. Inputs are multiples
of 1/64, so that they are the same numbers in f32; everything is computed in f64.
"""
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


def case(topic, name, reference, out="y", params=None, **inputs):
    """`reference` takes the inputs, then the parameters; `out` names what it returns. Shapes are drawn."""
    named = {f"{name}.{k}": v for k, v in {**inputs, **(params or {})}.items()}
    values = {k: draw(*v) if isinstance(v, tuple) else np.asarray(v) for k, v in named.items()}
    outs = [out] if isinstance(out, str) else out
    is_float = {k: v.dtype.kind == "f" for k, v in values.items()}

    def run(args):
        given = [args.get(k, values[k]) for k in values]
        results = reference(*given)
        return [jnp.asarray(r) for r in (results if isinstance(results, tuple) else (results,))]

    floats = {k: jnp.asarray(v) for k, v in values.items() if is_float[k]}
    results, pull = jax.vjp(run, floats)
    expected = dict(zip(outs, results))
    cotangents = [draw(*r.shape) if r.dtype.kind == "f" else np.zeros(r.shape, jax.dtypes.float0)
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
        "values": {k: encode(v) for k, v in values.items()},
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

# ---- optimizers ----

steps = 6
steepness = 0.5 * np.arange(1, 7)


def bowl(w, x):
    return jnp.sum((w - x) ** 4 + steepness * (w - x) ** 2)


def trajectory(name, optimizer):
    w, x = jnp.asarray(draw(6, low=-1, high=1)), jnp.asarray(draw(6, low=-1, high=1))
    values = {f"of_{name}.w": encode(w), f"try_{name}.x": encode(x)}
    state, path, losses = optimizer.init(w), [], []
    for _ in range(steps):
        loss, g = jax.value_and_grad(bowl)(w, x)
        update, state = optimizer.update(g, state, w)
        w = optax.apply_updates(w, update)
        path.append(encode(w))
        losses.append(float(loss))
    cases.setdefault("optimizers", {})[f"try_{name}"] = {
        "values": values, "parameter": f"of_{name}.w", "path": path, "losses": losses}


trajectory("sgd", optax.sgd(0.05))
trajectory("sgd_with_momentum", optax.sgd(0.05, momentum=0.9))
trajectory("sgd_with_weight_decay", optax.chain(optax.add_decayed_weights(0.1), optax.sgd(0.05, momentum=0.5)))
trajectory("adam", optax.adam(0.1))
trajectory("adam_slower", optax.adam(0.05, b1=0.8, b2=0.95, eps=1e-3))
trajectory("adamw", optax.adamw(0.1, weight_decay=0.1))

folder = pathlib.Path(__file__).parent / "ops"
folder.mkdir(exist_ok=True)
for topic, entries in cases.items():
    lines = [f'"{name}": {json.dumps(entry)}' for name, entry in entries.items()]
    (folder / f"{topic}.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")
    print(topic, len(entries))
