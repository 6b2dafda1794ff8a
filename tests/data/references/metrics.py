"""Measures of guesses, most of them without a gradient."""
import jax
import jax.numpy as jnp
import torch
import torch.nn.functional as F
from cases import case, labels, variant
from losses import V, T, integer_ce, torch_ce

hot = jax.nn.one_hot


def classes(function, out, reference, peer, written=None, n=5):
    written = written or f"{function}(z, label)"
    case(T, f"try_{function}", reference, peer, out, z=(4, n), label=labels(4, n=n))
    variant(V, f"{function}_of_one_class", written, reference, peer, out, z=(3, 1), label=labels(3, n=1))
    variant(V, f"{function}_of_many_dims", written, reference, peer, out, z=(2, 1, 5, 3), label=labels(2, 1, 5, n=3))


classes("accuracy", "a", lambda z, l: jnp.mean((jnp.argmax(z, -1) == l).astype(z.dtype)),
        lambda z, l: (z.argmax(-1) == l).double().mean())


def top_k(k):
    return (lambda z, l: jnp.mean(jnp.any(jax.lax.top_k(z, k)[1] == l[..., None], -1).astype(z.dtype)),
            lambda z, l: (z.topk(k)[1] == l[..., None]).any(-1).double().mean())


case(T, "try_top_k_accuracy", *top_k(2), "a", z=(4, 5), label=labels(4, n=5))
variant(V, "top_k_accuracy_of_one_class", "top_k_accuracy(z, label, k = 1)", *top_k(1), "a", z=(3, 1), label=labels(3, n=1))
variant(V, "top_k_accuracy_of_many_dims", "top_k_accuracy(z, label)", *top_k(5), "a", z=(2, 1, 5, 7),
        label=labels(2, 1, 5, n=7))


def confusion(z, label):
    n = z.shape[-1]
    rows, columns = (hot(v.reshape(-1), n, dtype=z.dtype) for v in (label, jnp.argmax(z, -1)))
    return rows.T @ columns


def torch_confusion(z, label):
    n = z.shape[-1]
    return torch.bincount((label * n + z.argmax(-1)).flatten(), minlength=n * n).reshape(n, n).double()


classes("confusion", "m", confusion, torch_confusion, n=3)
both = lambda z, y: jnp.sum((z > 0) & (y > 0)).astype(z.dtype)  # noqa: E731
tboth = lambda z, y: ((z > 0) & (y > 0)).double().sum()  # noqa: E731
for function, out, reference, peer in [
        ("precision", "p", lambda z, y: both(z, y) / jnp.sum(z > 0), lambda z, y: tboth(z, y) / (z > 0).sum()),
        ("recall", "r", lambda z, y: both(z, y) / jnp.sum(y > 0), lambda z, y: tboth(z, y) / (y > 0).sum()),
        ("f1", "f", lambda z, y: 2 * both(z, y) / (jnp.sum(z > 0) + jnp.sum(y > 0)),
         lambda z, y: 2 * tboth(z, y) / ((z > 0).sum() + (y > 0).sum()))]:
    case(T, f"try_{function}", reference, peer, out, z=(4, 3), y=(4, 3))
    variant(V, f"{function}_of_a_vector", f"{function}(z, f32(y > 0))", reference, peer, out, z=(17,), y=(17,))
    variant(V, f"{function}_of_many_dims", f"{function}(z, f32(y > 0))", reference, peer, out, z=(2, 1, 3, 5), y=(2, 1, 3, 5))


def r_squared(y, t):
    return 1 - ((t - y) ** 2).sum() / ((t - t.mean()) ** 2).sum()


case(T, "try_r_squared", r_squared, r_squared, "r", y=(4, 3), t=(4, 3))
variant(V, "r_squared_of_a_vector", "r_squared(y, t)", r_squared, r_squared, "r", y=(17,), t=(17,))
variant(V, "r_squared_of_many_dims", "r_squared(y, t)", r_squared, r_squared, "r", y=(2, 1, 3, 5), t=(2, 1, 3, 5))
classes("perplexity", "p", lambda z, l: jnp.exp(jnp.mean(integer_ce(z, l))), lambda z, l: torch.exp(torch_ce(z, l)))
