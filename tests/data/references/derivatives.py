"""Derivatives of derivatives, where a spec asks for them."""
import jax
import jax.numpy as jnp
import torch
from cases import case

T = "derivatives"


def wave(x):
    return jnp.tanh(x) * x ** 2


def nth(f, n):
    return f if n == 0 else nth(jax.grad(f), n - 1)


def torch_nth(x, n):
    """A function of elements and its derivatives, of a point that may be differentiated."""
    with torch.enable_grad():
        y = torch.tanh(x) * x ** 2
        for _ in range(n):
            (y,) = torch.autograd.grad(y.sum(), x, create_graph=True)
    return y


for n, name in enumerate(["first", "second", "third"], 1):
    case(T, f"try_{name}_derivative", jax.vmap(nth(wave, n)), lambda x: torch_nth(x, n), x=(5,))


def torch_hessian(x, v):
    (g,) = torch.autograd.grad(torch.logsumexp(x, 0), x, create_graph=True)
    return torch.autograd.grad(g @ v, x, create_graph=True)[0]


case(T, "try_hessian_times_vector", lambda x, v: jax.hessian(jax.nn.logsumexp)(x) @ v, torch_hessian, x=(5,), v=(5,))


def descent(x):
    for _ in range(3):
        x = x - 0.125 * jax.vmap(jax.grad(wave))(x)
    return x


def torch_descent(x):
    for _ in range(3):
        x = x - 0.125 * torch_nth(x, 1)
    return x


def oscillator(x, a, c, w):
    def u(t):
        return (jnp.tanh(t * a[0] + c) @ w)[0]
    return jax.vmap(lambda t: jax.grad(jax.grad(u))(t[0])[None] + u(t[0]))(x)


def torch_oscillator(x, a, c, w):
    u = torch.tanh(x @ a + c) @ w
    first, = torch.autograd.grad(u.sum(), x, create_graph=True)
    return torch.autograd.grad(first.sum(), x, create_graph=True)[0] + u


def penalty(x, a, w):
    g = jax.vmap(jax.grad(lambda row: jnp.tanh(row @ a) @ w))(x)
    return jnp.mean((jnp.sqrt(jnp.sum(g ** 2, -1)) - 1) ** 2)


def torch_penalty(x, a, w):
    g, = torch.autograd.grad((torch.tanh(x @ a) @ w).sum(), x, create_graph=True)
    return ((g.norm(dim=-1) - 1) ** 2).mean()


case(T, "try_descent_unrolled", descent, torch_descent, x=(5,))
case(T, "try_second_derivative_of_a_net", oscillator, torch_oscillator, x=(3, 1), a=(1, 6), c=(6,), w=(6, 1))
case(T, "try_gradient_penalty", penalty, torch_penalty, x=(3, 3), a=(3, 4), w=(4,))
