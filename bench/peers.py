"""peers.py: one peer doing one row, spoken to line by line as harness.cpp is.

  peers.py PEER ROW FOLDER THREADS     PEER: torch, torch-compile, jax, jax-scan

Reads parameters and inputs from FOLDER, where the harness left them. Each peer is set up as its users would for speed:
the fused optimizer for PyTorch run eagerly; the whole step as one compiled function for torch.compile; donated
buffers for JAX; for jax-scan a hundred steps in one call.
"""
import json
import os
import sys
import time
import types

peer, row_id, folder, threads = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = str(threads)
if peer.startswith("jax"):
    os.environ["JAX_PLATFORMS"] = "cpu"
    if threads == 1:
        os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})

import numpy as np  # noqa: E402  the environment is read at import

from rows import ROWS  # noqa: E402

SCAN = 100  # steps in one call of jax-scan


def arrays():
    with open(os.path.join(folder, "model.json")) as file:
        model = json.load(file)

    def read(entry, prefix):
        dtype = np.int32 if entry["dtype"] == "i32" else np.float32
        return np.fromfile(os.path.join(folder, prefix + entry["name"] + ".bin"), dtype).reshape(entry["shape"])

    return ({e["name"]: read(e, "") for e in model["parameters"]}, [read(e, "input.") for e in model["inputs"]])


def torch_words():
    import torch
    import torch.nn.functional as f

    def linear(x, w, b):
        if b is None:
            return x @ w
        return torch.addmm(b, x, w) if x.dim() == 2 else x @ w + b

    def conv(x, k, b, stride, pad):
        return f.conv2d(x, k, b, stride, pad)

    return types.SimpleNamespace(
        linear=linear, conv=conv, relu=torch.relu, tanh=torch.tanh, sigmoid=torch.sigmoid, exp=torch.exp,
        gelu=f.gelu, softplus=f.softplus, leaky_relu=f.leaky_relu, mse=f.mse_loss, mean=torch.mean,
        cross_entropy=lambda z, label: f.cross_entropy(z, label.long()), max_pool=lambda x: f.max_pool2d(x, 2),
        reshape=torch.reshape, swap=torch.transpose, detach=lambda x: x.detach(),
        take=lambda table, ids: f.embedding(ids, table),
        causal_attention=lambda q, k, v, scale: f.scaled_dot_product_attention(q, k, v, is_causal=True, scale=scale),
        layer_norm=lambda x, gain, offset: f.layer_norm(x, gain.shape, gain, offset, 1e-5),
        group_norm=lambda x, n, gain, offset: f.group_norm(x, n, gain, offset, 1e-5))


def jax_words():
    import jax
    import jax.numpy as jnp
    from jax import lax

    def linear(x, w, b):
        return x @ w if b is None else x @ w + b

    def conv(x, k, b, stride, pad):
        y = lax.conv_general_dilated(x, k, (stride, stride), [(pad, pad)] * 2)
        return y if b is None else y + b[None, :, None, None]

    def cross_entropy(z, label):
        return -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(z), label[:, None], 1))

    def causal_attention(q, k, v, scale):
        t = q.shape[2]
        score = jnp.where(jnp.tril(jnp.ones((t, t), bool)), q @ k.swapaxes(2, 3) * scale, -jnp.inf)
        return jax.nn.softmax(score) @ v

    def layer_norm(x, gain, offset):
        m = x.mean(-1, keepdims=True)
        return (x - m) / jnp.sqrt(((x - m) ** 2).mean(-1, keepdims=True) + 1e-5) * gain + offset

    def group_norm(x, n, gain, offset):
        z = x.reshape(x.shape[0], n, -1)
        z = (z - z.mean(-1, keepdims=True)) / jnp.sqrt(z.var(-1, keepdims=True) + 1e-5)
        return z.reshape(x.shape) * gain[None, :, None, None] + offset[None, :, None, None]

    return types.SimpleNamespace(
        linear=linear, conv=conv, relu=jax.nn.relu, tanh=jnp.tanh, sigmoid=jax.nn.sigmoid, exp=jnp.exp,
        gelu=lambda x: jax.nn.gelu(x, approximate=False), softplus=jax.nn.softplus, leaky_relu=jax.nn.leaky_relu,
        mse=lambda y, t: jnp.mean((y - t) ** 2), mean=jnp.mean, cross_entropy=cross_entropy,
        max_pool=lambda x: lax.reduce_window(x, -jnp.inf, lax.max, (1, 1, 2, 2), (1, 1, 2, 2), "VALID"),
        reshape=jnp.reshape, swap=jnp.swapaxes, detach=lax.stop_gradient, take=lambda table, ids: table[ids],
        causal_attention=causal_attention, layer_norm=layer_norm, group_norm=group_norm)


def torch_eager(row, start, inputs):
    import torch
    torch.set_num_threads(threads)
    torch.set_flush_denormal(True)
    F = torch_words()
    x = [torch.from_numpy(i) for i in inputs]
    kind, options = row.optimizer
    trained = []

    def begin():
        nonlocal trained
        p = {n: torch.tensor(v, requires_grad=True) for n, v in start.items()}
        make = torch.optim.SGD if kind == "sgd" else torch.optim.AdamW
        trained = [(p, [v for n, v in p.items() if n.startswith(prefix)], loss) for prefix, loss in row.losses]
        trained = [(p, mine, make(mine, fused=True, **options), loss) for p, mine, loss in trained]

    def step():
        # All losses see the parameters from before the step; a loss gives gradients to its own only.
        values = []
        for p, mine, optimizer, loss in trained:
            value = loss(F, p, *x)
            for v, g in zip(mine, torch.autograd.grad(value, mine)):
                v.grad = g
            values.append(value)
        for _, _, optimizer, _ in trained:
            optimizer.step()
        return values[0]

    def plain_step():
        p, mine, optimizer, loss = trained[0]
        optimizer.zero_grad(set_to_none=True)
        value = loss(F, p, *x)
        value.backward()
        optimizer.step()
        return value

    begin()
    return begin, plain_step if len(row.losses) == 1 else step, float, 1


def updated(xp, kind, options, t, p, g, m, v):
    """One update of one parameter, in the words of either framework: sgd, or Adam with decoupled weight decay."""
    lr = options["lr"]
    if kind == "sgd":
        return p - lr * g, m, v
    m = 0.9 * m + 0.1 * g
    v = 0.999 * v + 0.001 * g * g
    step = (m / (1 - 0.9 ** t)) / (xp.sqrt(v / (1 - 0.999 ** t)) + 1e-8)
    return p - lr * step - lr * options["weight_decay"] * p, m, v


def functional(row, F, xp, value_and_grad):
    """The whole step as a function of (t, parameters, moments, inputs)."""
    kind, options = row.optimizer

    def step(t, p, m, v, x):
        new = (dict(p), dict(m), dict(v))
        first = None
        for prefix, loss in row.losses:
            mine = {n: a for n, a in p.items() if n.startswith(prefix)}
            rest = {n: a for n, a in p.items() if n not in mine}
            value, g = value_and_grad(lambda q: loss(F, {**rest, **q}, *x), mine)
            first = value if first is None else first
            for n in mine:
                new[0][n], new[1][n], new[2][n] = updated(xp, kind, options, t, p[n], g[n], m[n], v[n])
        return new[0], new[1], new[2], first

    return step


def torch_compile(row, start, inputs):
    import torch
    torch.set_num_threads(threads)
    torch.set_flush_denormal(True)
    x = [torch.from_numpy(i) for i in inputs]

    def value_and_grad(f, q):
        g, value = torch.func.grad_and_value(f)(q)
        return value, g

    step_function = torch.compile(functional(row, torch_words(), torch, value_and_grad), fullgraph=True)
    held = {}

    def begin():
        held["t"] = torch.tensor(0.0)
        held["p"] = {n: torch.tensor(v) for n, v in start.items()}
        held["m"] = {n: torch.zeros_like(v) for n, v in held["p"].items()}
        held["v"] = {n: torch.zeros_like(v) for n, v in held["p"].items()}

    def step():
        with torch.no_grad():
            held["t"] += 1
            held["p"], held["m"], held["v"], loss = step_function(held["t"], held["p"], held["m"], held["v"], x)
        return loss

    begin()
    return begin, step, float, 1


def jax_jit(row, start, inputs, scan):
    import jax
    import jax.numpy as jnp
    x = [jnp.asarray(i) for i in inputs]

    def value_and_grad(f, q):
        return jax.value_and_grad(f)(q)

    step_function = functional(row, jax_words(), jnp, value_and_grad)

    def one(carry, x):
        t, p, m, v = carry
        p, m, v, loss = step_function(t + 1, p, m, v, x)
        return (t + 1, p, m, v), loss

    single = jax.jit(one, donate_argnums=0)
    many = jax.jit(lambda carry, x: jax.lax.scan(lambda c, _: one(c, x), carry, None, length=SCAN), donate_argnums=0)
    held = {}

    def begin():
        p = {n: jnp.array(v) for n, v in start.items()}
        held["carry"] = (jnp.float32(0), p, jax.tree.map(jnp.zeros_like, p), jax.tree.map(jnp.zeros_like, p))

    def step():
        held["carry"], loss = single(held["carry"], x)
        return loss

    def steps():
        held["carry"], losses = many(held["carry"], x)
        return losses

    def wait(value):
        return float(np.asarray(value).reshape(-1)[0])

    begin()
    if not scan:
        return begin, step, wait, 1
    return begin, steps, wait, SCAN


def main():
    row = next(r for r in ROWS if r.id == row_id)
    start, inputs = arrays()
    make = {"torch": torch_eager, "torch-compile": torch_compile,
            "jax": lambda *a: jax_jit(*a, scan=False), "jax-scan": lambda *a: jax_jit(*a, scan=True)}[peer]
    begin, step, wait, at_once = make(row, start, inputs)
    wait(step())
    print("ready", flush=True)
    for line in sys.stdin:
        word, n = line.split()
        n = int(n)
        if word == "losses":
            begin()
            if at_once > 1:
                import numpy
                values = [float(v) for v in numpy.asarray(step())[:n]]
            else:
                values = [wait(step()) for _ in range(n)]
            print(" ".join(f"{v:.9g}" for v in values), flush=True)
            continue
        calls = max(1, round(n / at_once))
        before = time.perf_counter()
        for _ in range(calls):
            value = step()
        wait(value)
        print(f"{(time.perf_counter() - before) * n / (calls * at_once):.9g}", flush=True)


main()
