"""What a case is: values, what JAX makes of them, and PyTorch's word that it is so."""
import json
import math
import os
import pathlib
import sys
import zlib

os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0")  # compiles once, runs once
import jax  # noqa: E402

jax.config.update("jax_enable_x64", True)
import jax.numpy as jnp  # noqa: E402
import numpy as np  # noqa: E402
import torch  # noqa: E402

torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)

cases = {}    # entries of <topic>.json by topic and name
specs = {}    # nets of <topic>.nn by topic, of the topics whose spec is written here
silent = {}   # why PyTorch was not asked, by name
wrong = []    # where who should not differs, or does not who should
wanted = {t for topic in sys.argv[1:] for t in (topic, topic + "_varied")}  # topics; none: all
tolerance = 1e-9


def is_wanted(topic):
    return not wanted or topic in wanted


class Draws:
    """Numbers that a name begins, so that a new case changes no other."""

    def __init__(self, name):
        self.random = np.random.default_rng(zlib.crc32(name.encode()))

    def floats(self, *shape, low=-2.0, high=2.0):
        """Distinct as far as there are enough: ties and kinks are cases of their own. Multiples of 1/128 are the same in f32."""
        n = int(np.prod(shape))
        choices = np.arange(low * 64 + 0.5, high * 64) / 64
        return self.random.choice(choices, size=n, replace=n > len(choices)).reshape(shape)

    def labels(self, *shape, n):
        return self.random.integers(0, n, shape)


class Labels:
    """To be drawn: positions 0 … n-1."""

    def __init__(self, *shape, n):
        self.shape, self.n = shape, n


def labels(*shape, n):
    return Labels(*shape, n=n)


def encode(a):
    a = np.asarray(a)
    flat = [float(v) for v in a.ravel()]
    words = [v if math.isfinite(v) else str(v) for v in flat]
    return {"shape": list(a.shape), "data": [int(v) if v == int(v) else v for v in words]
            if all(isinstance(v, float) for v in words) else words}


def same(a, b):
    """As values.cpp compares: to 1e-9 of the norm, and NaN is NaN."""
    a, b = np.asarray(a, float), np.asarray(b, float)
    if a.shape != b.shape:
        return False
    finite = np.abs(b[np.isfinite(b)])
    near = tolerance * max(finite.max() if finite.size else 0, 1e-3)
    with np.errstate(invalid="ignore"):
        return bool(np.all((a == b) | (np.isnan(a) & np.isnan(b)) | (np.abs(a - b) <= near)))


class Question:
    """One function at one point: its float arguments, the cotangents of its results, and the directions in which its
    gradients are differentiated again: of the sum of gradient times direction, by arguments and cotangents."""

    def __init__(self, values, kept, outs):
        self.values, self.kept, self.outs = values, kept, outs
        self.floats = [k for k, v in values.items() if v.dtype.kind == "f"]
        self.cotangents, self.directions = {}, {}


def ask_jax(reference, q, only_shapes=False):
    def run(args):
        results = reference(*[args.get(k, q.values[k]) for k in q.values], *q.kept.values())
        results = results if isinstance(results, tuple) else (results,)
        return {o: jnp.asarray(r) for o, r in zip(q.outs, results, strict=True)}

    def run_floats(args):
        return {o: r for o, r in run(args).items() if r.dtype.kind == "f"}

    floats = {k: jnp.asarray(q.values[k]) for k in q.floats}
    if not q.cotangents:
        return (jax.eval_shape if only_shapes else lambda f, x: jax.jit(f)(x))(run, floats), {}, {}
    cotangents = {o: jnp.asarray(c) for o, c in q.cotangents.items()}

    def along(args, cotangents):
        _, pull = jax.vjp(run_floats, args)
        (gradients,) = pull(cotangents)
        return sum(jnp.sum(g * q.directions[k]) for k, g in gradients.items())

    def all_of_it(floats, cotangents):
        _, pull = jax.vjp(run_floats, floats)
        seconds = {}
        if q.directions:
            by_floats, by_cotangents = jax.grad(along, (0, 1))(floats, cotangents)
            seconds = {**by_floats, **{"d" + o: v for o, v in by_cotangents.items()}}
        return run(floats), pull(cotangents)[0], seconds

    return jax.jit(all_of_it)(floats, cotangents)


def ask_torch(peer, q):
    given = {k: torch.tensor(v, requires_grad=k in q.floats) for k, v in q.values.items()}
    results = peer(*given.values(), *(torch.tensor(v) for v in q.kept.values()))
    results = results if isinstance(results, tuple) else (results,)
    results = dict(zip(q.outs, results, strict=True))
    floats = [given[k] for k in q.floats]
    shown = {o: r.numpy(force=True) for o, r in results.items()}
    if not q.cotangents:
        return shown, {}, {}
    cotangents = {o: torch.tensor(c, requires_grad=True) for o, c in q.cotangents.items()}

    def derive(y, by, more):
        return torch.autograd.grad(y, by, create_graph=more, allow_unused=True, materialize_grads=True)

    driven = sum((results[o] * c).sum() for o, c in cotangents.items())
    gradients = dict(zip(q.floats, derive(driven, floats, bool(q.directions))))
    seconds = {}
    if q.directions:
        along = sum((g * torch.tensor(q.directions[k])).sum() for k, g in gradients.items())
        names = [*q.floats, *("d" + o for o in cotangents)]
        seconds = {k: v.numpy(force=True) for k, v in zip(names, derive(along, [*floats, *cotangents.values()], False))}
    return shown, {k: v.numpy(force=True) for k, v in gradients.items()}, seconds


def case(topic, name, reference, peer, out="y", params=None, state=None, unit=False, second=True, peer_second=True,
         ours=None, differ=(), **inputs):
    """`reference` (JAX) and `peer` (PyTorch) take the inputs, then the parameters, then the state, which is given; `out`
    names what they return. Shapes are drawn. Instead of a `peer` stands why there is none. With `unit` the
    cotangents are ones; without `second` there are no second derivatives, without `peer_second` PyTorch has none.
    `ours` is what comes out by gradc's rules where there is no one answer, and `differ` names who says otherwise."""
    if not is_wanted(topic):
        return None
    draws = Draws(name)
    draw = draws.floats
    named = {f"{name}.{k}": v for k, v in {**inputs, **(params or {})}.items()}
    values = {k: draw(*v) if isinstance(v, tuple) else draws.labels(*v.shape, n=v.n) if isinstance(v, Labels)
              else np.asarray(v) for k, v in named.items()}
    kept = {f"{name}.{k}": np.asarray(v, float) for k, v in (state or {}).items()}
    outs = [out] if isinstance(out, str) else out
    q = Question(values, kept, outs)
    results, _, _ = ask_jax(reference, q, only_shapes=True)
    if q.floats:
        q.cotangents = {o: np.ones(results[o].shape) if unit else draw(*results[o].shape) for o in outs
                        if results[o].dtype.kind == "f"}
    if second and q.cotangents:
        q.directions = {k: draw(*values[k].shape) for k in q.floats}

    def in_spec(k):
        """An input by its own name, a parameter by its path."""
        short = k.split(".", 1)[1]
        return short if short in inputs else k

    def told(answer):
        results, gradients, seconds = answer
        first = {**results, **{"d" + in_spec(k): v for k, v in gradients.items()}}
        return first, {in_spec(k) if k in values else k: v for k, v in seconds.items()}

    first, again = told(ask_jax(reference, q))
    ours = {k: np.asarray(v, float) for k, v in (ours or {}).items()}
    expected = {**first, **ours}
    assert all(np.shape(v) == np.shape(first[k]) for k, v in ours.items()), name
    others = {}
    if callable(peer):
        asked = Question(values, kept, outs)
        asked.cotangents, asked.directions = q.cotangents, q.directions if peer_second else {}
        peers = {"JAX": (first, again), "PyTorch": told(ask_torch(peer, asked))}
    else:
        silent[name] = peer
        peers = {"JAX": (first, again)}
    for who, (its_first, its_again) in peers.items():
        unlike = {k: v for k, v in its_first.items() if not same(v, expected[k])}
        unlike_again = {k: v for k, v in its_again.items() if not same(v, again[k])}
        if unlike:
            others[who] = {k: encode(v) for k, v in unlike.items()}
        if (who in differ) != bool(unlike) or unlike_again:
            wrong.append(f"{name}: {who} has {unlike} {unlike_again}, stored is { {k: expected[k] for k in unlike} } "
                         f"{ {k: again[k] for k in unlike_again} }")

    given = {**values, **kept, **{f"{name}.d{o}": c for o, c in q.cotangents.items()}}
    entry = {"values": {k: encode(v) for k, v in given.items()}, "expected": {k: encode(v) for k, v in expected.items()}}
    if q.directions:
        entry["second"] = {"along": {"d" + in_spec(k): encode(v) for k, v in q.directions.items()},
                           "expected": {k: encode(v) for k, v in again.items()}}
    if others:
        entry["others"] = others
    entries = cases.setdefault(topic, {})
    assert name not in entries, name
    entries[name] = entry
    return values, {o: np.asarray(expected[o]) for o in outs}


def variant(topic, name, body, reference, peer, out="y", **given):
    """A case whose net is written here too: its `body`, or what its one result is."""
    name = "try_" + name
    answer = case(topic, name, reference, peer, out, **given)
    if answer is None:
        return
    values, results = answer
    inputs = [k for k in given if f"{name}.{k}" in values and k not in
              ("params", "state", "unit", "second", "peer_second", "ours", "differ")]

    def declared(k, a):
        kind = {"f": "f32", "i": "i32", "b": "bool"}[a.dtype.kind]
        return f"{k}: {kind}[{', '.join(str(n) for n in a.shape)}]"

    head = f"net {name}({', '.join(declared(k, values[f'{name}.{k}']) for k in inputs)})"
    head += f" -> {', '.join(declared(k, r) for k, r in results.items())}"
    statements = body.strip() if "=" in body.split("(")[0] else f"{out} = {body}"
    lines = "\n".join("  " + line.strip() for line in statements.splitlines())
    specs.setdefault(topic, []).append(f"{head} {{\n{lines}\n}}\n")


def put(topic, name, entry):
    if is_wanted(topic):
        cases.setdefault(topic, {})[name] = entry


def write():
    if wrong:
        sys.exit("\n".join(wrong))
    data = pathlib.Path(__file__).parent.parent / "ops"
    data.mkdir(exist_ok=True)
    for topic, entries in cases.items():
        lines = [f'"{name}": {json.dumps(entry)}' for name, entry in entries.items()]
        (data / f"{topic}.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")
        print(topic, len(entries))
    for topic, nets in specs.items():
        (data / f"{topic}.nn").write_text(
            f"// {topic}.nn: more shapes, sizes and arguments, written with their values by tests/data/references.\n\n" + "".join(nets))
    print(f"{sum(map(len, cases.values()))} cases; PyTorch was not asked of {len(silent)}:")
    for name, why in silent.items():
        print(f"  {name}: {why}")
