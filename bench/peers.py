"""peers.py: one peer doing one row, spoken to line by line as harness.cpp is.

  peers.py PEER ROW FOLDER CPUS STEPS     PEER: torch, torch-compile, jax, jax-scan, onnx; CPUS: 1 or 0,1

Reads parameters and inputs from FOLDER, where the harness left them. Each peer is set up as its users would for speed:
the fused optimizer for PyTorch run eagerly; the whole step as one compiled function for torch.compile; donated
buffers for JAX; for jax-scan STEPS steps in one call; all optimizations of graphs for ONNX Runtime, and outputs bound.
Prints `ready` and the seconds of the first step, which include its compilation, when it stands ready.
"""
import contextlib
import json
import os
import sys
import time

peer, row_id, folder = sys.argv[1:4]
cpus, scan = {int(cpu) for cpu in sys.argv[4].split(",")}, int(sys.argv[5])
threads = len(cpus)
os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = str(threads)
os.environ["TORCHINDUCTOR_COMPILE_THREADS"] = "1"
if peer.startswith("jax"):
    os.environ["JAX_PLATFORMS"] = "cpu"
    os.sched_setaffinity(0, cpus)  # XLA makes its threads at import
    if threads == 1:
        os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"

import numpy as np  # noqa: E402  the environment is read at import

from rows import COMPILED, ROWS  # noqa: E402
from words import jax_words, torch_words  # noqa: E402


def arrays():
    with open(os.path.join(folder, "model.json")) as file:
        model = json.load(file)

    def read(entry, prefix):
        dtype = np.int32 if entry["dtype"] == "i32" else np.float32
        return np.fromfile(os.path.join(folder, prefix + entry["name"] + ".bin"), dtype).reshape(entry["shape"])

    return ({e["name"]: read(e, "") for e in model["parameters"]}, [read(e, "input.") for e in model["inputs"]])


def torch_arrays(row, start, inputs):
    """Tensors of the parameters and of the inputs, images with their channels last where the row says so."""
    import torch
    torch.set_num_threads(threads)
    torch.set_flush_denormal(True)
    torch.manual_seed(0)

    def tensor(array):
        t = torch.tensor(array)
        return t.to(memory_format=torch.channels_last) if row.channels_last and t.dim() == 4 else t

    return {n: tensor(v) for n, v in start.items()}, [tensor(i) for i in inputs]


def torch_eager(row, start, inputs):
    import torch
    F = torch_words()
    begun, x = torch_arrays(row, start, inputs)
    mixed = lambda: torch.autocast("cpu", torch.bfloat16, enabled=row.storage == "bf16")  # noqa: E731
    if not row.optimizer:
        return inference_of(row, F, begun, x, lambda f: f)
    kind, options = row.optimizer
    trained = []

    def begin():
        nonlocal trained
        p = {n: v.clone().requires_grad_() for n, v in begun.items()}
        make = torch.optim.SGD if kind == "sgd" else torch.optim.AdamW
        trained = [(p, [v for n, v in p.items() if n.startswith(prefix)], loss) for prefix, loss in row.losses]
        trained = [(p, mine, make(mine, fused=True, **options), loss) for p, mine, loss in trained]

    def step():
        # All losses see the parameters from before the step; a loss gives gradients to its own only.
        values = []
        for p, mine, optimizer, loss in trained:
            with mixed():
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
        with mixed():
            value = loss(F, p, *x)
        value.backward()
        optimizer.step()
        return value

    begin()
    return begin, plain_step if len(row.losses) == 1 else step, float, 1


def inference_of(row, F, p, x, compiled):
    import torch
    net = row.losses[0][1]
    run = compiled(lambda x: net(F, p, *x))

    def step():
        with torch.inference_mode():
            return run(x)

    return lambda: None, step, lambda y: y.reshape(-1).numpy(), 1


def onnx_runtime(row, start, inputs):
    import onnxruntime
    import torch
    F, (p, x) = torch_words(), torch_arrays(row, start, inputs)

    class Net(torch.nn.Module):
        def forward(self, *x):
            return row.losses[0][1](F, p, *x)

    path = os.path.join(folder, "net.onnx")
    torch.onnx.export(Net(), tuple(x), path, input_names=[f"x{k}" for k in range(len(x))], output_names=["y"],
                      dynamo=True, external_data=False)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    binding = session.io_binding()
    for input, array in zip(session.get_inputs(), inputs):
        binding.bind_cpu_input(input.name, array)
    binding.bind_output("y")

    def step():
        session.run_with_iobinding(binding)
        return binding

    return lambda: None, step, lambda b: b.copy_outputs_to_cpu()[0].reshape(-1), 1


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
    begun, x = torch_arrays(row, start, inputs)
    if not row.optimizer:
        return inference_of(row, torch_words(), begun, x, lambda f: torch.compile(f, fullgraph=True))

    def value_and_grad(f, q):
        g, value = torch.func.grad_and_value(f)(q)
        return value, g

    step_function = torch.compile(functional(row, torch_words(), torch, value_and_grad), fullgraph=True)
    held = {}

    def begin():
        held["t"] = torch.tensor(0.0)
        held["p"] = {n: v.clone() for n, v in begun.items()}
        held["m"] = {n: torch.zeros_like(v) for n, v in held["p"].items()}
        held["v"] = {n: torch.zeros_like(v) for n, v in held["p"].items()}

    def step():
        with torch.no_grad():
            held["t"] += 1
            held["p"], held["m"], held["v"], loss = step_function(held["t"], held["p"], held["m"], held["v"], x)
        return loss

    begin()
    return begin, step, float, 1


def jax_jit(row, start, inputs, scanned):
    import jax
    import jax.numpy as jnp
    x = [jnp.asarray(i) for i in inputs]
    if not row.optimizer:
        p, run = {n: jnp.asarray(v) for n, v in start.items()}, jax.jit(lambda p, x: row.losses[0][1](words, p, *x))
        words = jax_words()
        return lambda: None, lambda: run(p, x), lambda y: np.asarray(y).reshape(-1), 1

    def value_and_grad(f, q):
        return jax.value_and_grad(f)(q)

    step_function = functional(row, jax_words(), jnp, value_and_grad)

    def one(carry, x):
        t, p, m, v = carry
        p, m, v, loss = step_function(t + 1, p, m, v, x)
        return (t + 1, p, m, v), loss

    single = jax.jit(one, donate_argnums=0)
    many = jax.jit(lambda carry, x: jax.lax.scan(lambda c, _: one(c, x), carry, None, length=scan), donate_argnums=0)
    held = {}

    def begin():
        p = {n: jnp.array(v) for n, v in start.items()}
        held["carry"] = (jnp.float32(0), p, jax.tree.map(jnp.zeros_like, p), jax.tree.map(jnp.zeros_like, p))

    def step():
        held["carry"], loss = (many if scanned else single)(held["carry"], x)
        return loss

    begin()
    return begin, step, np.asarray if scanned else float, scan if scanned else 1


def first_values(n, begin, step, wait, at_once):
    begin()
    value = wait(step())
    if np.ndim(value) > 0:  # the losses of many steps, or what a net gives
        return value[:n]
    return [value] + [wait(step()) for _ in range(n - 1)]


def main():
    row = next(r for r in ROWS + COMPILED if r.id == row_id)
    start, inputs = arrays()
    make = {"torch": torch_eager, "torch-compile": torch_compile, "onnx": onnx_runtime,
            "jax": lambda *a: jax_jit(*a, scanned=False), "jax-scan": lambda *a: jax_jit(*a, scanned=True)}[peer]
    before = time.perf_counter()
    with contextlib.redirect_stdout(sys.stderr):  # an exporter talks
        begin, step, wait, at_once = make(row, start, inputs)
        wait(step())
    ready = time.perf_counter() - before
    for task in os.listdir("/proc/self/task"):  # compiled on all processors, timed on its own
        os.sched_setaffinity(int(task), cpus)
    print(f"ready {ready:.6g}", flush=True)
    for line in sys.stdin:
        word, n = line.split()
        n = int(n)
        if word == "losses":
            print(" ".join(f"{v:.9g}" for v in first_values(n, begin, step, wait, at_once)), flush=True)
            continue
        calls = max(1, round(n / at_once))
        before = time.perf_counter()
        for _ in range(calls):
            value = step()
        wait(value)
        print(f"{(time.perf_counter() - before) * n / (calls * at_once):.9g}", flush=True)


main()
