"""Losses, which are means over all examples, and likenesses."""
import math

import jax
import jax.numpy as jnp
import optax
import torch
import torch.nn.functional as F
from cases import case, labels, variant

T, V = "losses", "losses_varied"
sigmoid, tsig = jax.nn.sigmoid, torch.sigmoid
soft, logsoft = jax.nn.softmax, jax.nn.log_softmax
tsoft = lambda z: F.softmax(z, -1)  # noqa: E731
integer_ce = optax.softmax_cross_entropy_with_integer_labels
sigmoid_ce = optax.sigmoid_binary_cross_entropy


def many(topic, function, reference, peer, *variants, out="loss", **more):
    """Variants of `function`: (name, body, inputs)."""
    for name, body, inputs in variants:
        variant(topic, f"{function}_{name}", body, reference, peer, out, **inputs, **more)


def pairs(function, reference, peer, shape=(4, 3), first="y", second="t", wrap="{}({}, {})"):
    """A loss of two tensors of one shape: the case with a spec of its own, and two more."""
    case(T, f"try_{function}", reference, peer, "loss", **{first: shape, second: shape})
    for name, other in [("of_one", (1,)), ("of_many_dims", (2, 1, 3, 5))]:
        variant(V, f"{function}_{name}", wrap.format(function, first, second), reference, peer, "loss",
                **{first: other, second: other})


# ---- of values ----

pairs("mse", lambda y, t: jnp.mean((y - t) ** 2), F.mse_loss)
pairs("mae", lambda y, t: jnp.mean(jnp.abs(y - t)), F.l1_loss)
pairs("huber", lambda y, t: jnp.mean(optax.huber_loss(y, t)), F.huber_loss)
case(T, "try_huber_narrow", lambda y, t: jnp.mean(optax.huber_loss(y, t, delta=0.25)),
     lambda y, t: F.huber_loss(y, t, delta=0.25), "loss", y=(4, 3), t=(4, 3))
pairs("log_cosh", lambda y, t: jnp.mean(jnp.log(jnp.cosh(y - t))), lambda y, t: torch.log(torch.cosh(y - t)).mean())


def quantile(q):
    return (lambda y, t: jnp.mean(jnp.where(t > y, q * (t - y), (1 - q) * (y - t))),
            lambda y, t: torch.maximum(q * (t - y), (q - 1) * (t - y)).mean())


case(T, "try_quantile_loss", *quantile(0.9), "loss", y=(4, 3), t=(4, 3))
variant(V, "quantile_loss_of_one", "quantile_loss(y, t)", *quantile(0.5), "loss", y=(1,), t=(1,))
variant(V, "quantile_loss_of_many_dims", "quantile_loss(y, t, q = 0.05)", *quantile(0.05), "loss",
        y=(2, 1, 3, 5), t=(2, 1, 3, 5))


def variation(x):
    return (jnp.sum(jnp.abs(jnp.diff(x, axis=2))) + jnp.sum(jnp.abs(jnp.diff(x, axis=3)))) / x.shape[0]


def torch_variation(x):
    return (torch.diff(x, dim=2).abs().sum() + torch.diff(x, dim=3).abs().sum()) / x.shape[0]


case(T, "try_total_variation", variation, torch_variation, "loss", x=(4, 2, 3, 4))
many(V, "total_variation", variation, torch_variation,
     ("of_a_small_image", "total_variation(x)", dict(x=(1, 1, 2, 2))),
     ("of_wide_images", "total_variation(x)", dict(x=(2, 3, 2, 7))))


def ssim(k, extent=1.0, sigma=1.5):
    c1, c2 = (0.01 * extent) ** 2, (0.03 * extent) ** 2

    def likeness(blur, x, y):
        mx, my = blur(x), blur(y)
        vx, vy, xy = blur(x * x) - mx * mx, blur(y * y) - my * my, blur(x * y) - mx * my
        return ((2 * mx * my + c1) * (2 * xy + c2) / ((mx ** 2 + my ** 2 + c1) * (vx + vy + c2))).mean()

    def reference(x, y):
        w = jnp.exp(-(jnp.arange(k) - (k - 1) / 2) ** 2 / (2 * sigma ** 2))
        w = jnp.outer(w, w) / jnp.sum(w) ** 2
        one = (-1, 1) + x.shape[2:]
        return likeness(lambda a: jax.lax.conv(a.reshape(one), w[None, None], (1, 1), "VALID"), x, y)

    def peer(x, y):
        w = torch.exp(-(torch.arange(k) - (k - 1) / 2) ** 2 / (2 * sigma ** 2))
        w = torch.outer(w, w) / w.sum() ** 2
        return likeness(lambda a: F.conv2d(a.flatten(0, 1)[:, None], w[None, None]), x, y)
    return reference, peer


case(T, "try_ssim", *ssim(3, 4), "s", x=(4, 2, 5, 6), y=(4, 2, 5, 6))
variant(V, "ssim_of_the_whole_image", "ssim(x, y)", *ssim(11), "s", x=(1, 1, 11, 11), y=(1, 1, 11, 11))
variant(V, "ssim_of_one_place", "ssim(x, y, k = 3, range = 4.0)", *ssim(3, 4), "s", x=(2, 1, 3, 3), y=(2, 1, 3, 3))
variant(V, "ssim_of_even_windows", "ssim(x, y, k = 2)", *ssim(2), "s", x=(1, 1, 3, 4), y=(1, 1, 3, 4))
variant(V, "ssim_of_a_wide_bell", "ssim(x, y, k = 5, sigma = 3.0, range = 2.0)", *ssim(5, 2, 3.0), "s", x=(1, 2, 5, 7),
        y=(1, 2, 5, 7))

# ---- of classes ----


def classes(function, reference, peer, written=None):
    written = written or f"{function}(z, label)"
    case(T, f"try_{function}", reference, peer, "loss", z=(4, 5), label=labels(4, n=5))
    many(V, function, reference, peer,
         ("of_one_class", written, dict(z=(3, 1), label=labels(3, n=1))),
         ("of_many_dims", written, dict(z=(2, 1, 3, 7), label=labels(2, 1, 3, n=7))))


def torch_ce(z, label, **more):
    return F.cross_entropy(z.reshape(-1, z.shape[-1]), label.reshape(-1), **more)


classes("cross_entropy", lambda z, l: jnp.mean(integer_ce(z, l)), torch_ce)
case(T, "try_cross_entropy_of_sequences", lambda z, l: jnp.mean(integer_ce(z, l)), torch_ce, "loss", z=(4, 3, 5),
     label=labels(4, 3, n=5))
classes("cross_entropy_smoothed", lambda z, l: jnp.mean(optax.softmax_cross_entropy(
    z, optax.smooth_labels(jax.nn.one_hot(l, z.shape[-1], dtype=z.dtype), 0.2))),
    lambda z, l: torch_ce(z, l, label_smoothing=0.2), "cross_entropy_smoothed(z, label, smoothing = 0.2)")


def torch_soft_ce(z, q):
    return F.cross_entropy(z.reshape(-1, z.shape[-1]), tsoft(q).reshape(-1, z.shape[-1]))


for function, written in [("cross_entropy_soft", "cross_entropy_soft(z, softmax(q))"),
                          ("cross_entropy_of", "cross_entropy_of(softmax(z), softmax(q))")]:
    reference = lambda z, q: jnp.mean(optax.softmax_cross_entropy(z, soft(q)))  # noqa: E731
    case(T, f"try_{function}", reference, torch_soft_ce, "loss", z=(4, 5), q=(4, 5))
    many(V, function, reference, torch_soft_ce,
         ("of_one_class", written, dict(z=(3, 1), q=(3, 1))),
         ("of_many_dims", written, dict(z=(2, 1, 3, 7), q=(2, 1, 3, 7))))
case(T, "try_cross_entropy_of_one_hot", lambda z, l: jnp.mean(integer_ce(z, l)), torch_ce, "loss", z=(4, 3),
     label=labels(4, n=3))
pairs("bce", lambda z, y: jnp.mean(sigmoid_ce(z, sigmoid(y))), lambda z, y: F.binary_cross_entropy(tsig(z), tsig(y)),
      first="z", second="y", wrap="{}(sigmoid({}), sigmoid({}))")
pairs("bce_with_logits", lambda z, y: jnp.mean(sigmoid_ce(z, sigmoid(y))),
      lambda z, y: F.binary_cross_entropy_with_logits(z, tsig(y)), first="z", second="y", wrap="{}({}, sigmoid({}))")


def focal(gamma):
    def reference(z, y):
        y = sigmoid(y)
        return jnp.mean(y * sigmoid(-z) ** gamma * -jax.nn.log_sigmoid(z)
                        + (1 - y) * sigmoid(z) ** gamma * -jax.nn.log_sigmoid(-z))

    def peer(z, y):
        p, y = tsig(z), tsig(y)
        return -(y * (1 - p) ** gamma * torch.log(p) + (1 - y) * p ** gamma * torch.log(1 - p)).mean()
    return reference, peer


case(T, "try_focal", *focal(2), "loss", z=(4, 3), y=(4, 3))
variant(V, "focal_of_one", "focal(z, sigmoid(y), gamma = 1.0)", *focal(1), "loss", z=(1,), y=(1,))
variant(V, "focal_of_many_dims", "focal(z, sigmoid(y), gamma = 3.5)", *focal(3.5), "loss", z=(2, 1, 3, 5), y=(2, 1, 3, 5))
pairs("hinge", lambda z, y: jnp.mean(optax.hinge_loss(z, jnp.sign(y))), lambda z, y: F.relu(1 - torch.sign(y) * z).mean(),
      first="z", second="y", wrap="{}({}, sign({}))")


def dice(p, t):
    p, t = (sigmoid(v).reshape(v.shape[0], -1) for v in (p, t))
    return 1 - jnp.mean((2 * jnp.sum(p * t, 1) + 1) / (jnp.sum(p, 1) + jnp.sum(t, 1) + 1))


def torch_dice(p, t):
    p, t = (tsig(v).flatten(1) for v in (p, t))
    return (1 - (2 * (p * t).sum(1) + 1) / (p.sum(1) + t.sum(1) + 1)).mean()


case(T, "try_dice", dice, torch_dice, "loss", p=(4, 3, 2), t=(4, 3, 2))
many(V, "dice", dice, torch_dice,
     ("of_one", "dice(sigmoid(p), sigmoid(t))", dict(p=(1, 1), t=(1, 1))),
     ("of_images", "dice(sigmoid(p), sigmoid(t))", dict(p=(2, 1, 3, 5), t=(2, 1, 3, 5))))

# ---- of pairs ----


def triplet(margin):
    def reference(a, p, n):
        return jnp.mean(jax.nn.relu(jnp.sum((a - p) ** 2, -1) - jnp.sum((a - n) ** 2, -1) + margin))

    def peer(a, p, n):
        return F.triplet_margin_with_distance_loss(a, p, n, distance_function=lambda u, v: ((u - v) ** 2).sum(-1),
                                                   margin=margin)
    return reference, peer


three = lambda shape, names="apn": {k: shape for k in names}  # noqa: E731
case(T, "try_triplet", *triplet(1.0), "loss", **three((4, 3)))
variant(V, "triplet_of_one", "triplet(a, p, n, margin = 4.0)", *triplet(4.0), "loss", **three((1,)))
variant(V, "triplet_of_many_dims", "triplet(a, p, n, margin = 2.5)", *triplet(2.5), "loss", **three((2, 1, 3, 5)))


def contrastive(margin):
    def reference(a, b, y):
        d, y = jnp.sum((a - b) ** 2, -1), sigmoid(y)
        return jnp.mean(y * d + (1 - y) * jax.nn.relu(margin - jnp.sqrt(d + 1e-12)) ** 2)

    def peer(a, b, y):
        d, y = ((a - b) ** 2).sum(-1), tsig(y)
        return (y * d + (1 - y) * F.relu(margin - torch.sqrt(d + 1e-12)) ** 2).mean()
    return reference, peer


case(T, "try_contrastive", *contrastive(4), "loss", a=(4, 3), b=(4, 3), y=(4,))
variant(V, "contrastive_of_one", "contrastive(a, b, sigmoid(y))", *contrastive(1), "loss", a=(1, 1), b=(1, 1), y=(1,))
variant(V, "contrastive_of_many_dims", "contrastive(a, b, sigmoid(y), margin = 6.0)", *contrastive(6), "loss",
        a=(2, 1, 3, 5), b=(2, 1, 3, 5), y=(2, 1, 3))


def info_nce(temperature):
    return (lambda a, b: jnp.mean(integer_ce(a @ b.T / temperature, jnp.arange(a.shape[0]))),
            lambda a, b: F.cross_entropy(a @ b.T / temperature, torch.arange(a.shape[0])))


case(T, "try_info_nce", *info_nce(0.5), "loss", a=(3, 4), b=(3, 4))
variant(V, "info_nce_of_one", "info_nce(a, b)", *info_nce(0.1), "loss", a=(1, 3), b=(1, 3))
variant(V, "info_nce_of_numbers", "info_nce(a, b, temperature = 2.0)", *info_nce(2), "loss", a=(5, 1), b=(5, 1))
variant(V, "info_nce_of_many", "info_nce(a, b)", *info_nce(0.1), "loss", a=(7, 2), b=(7, 2))


def cosine(a, b):
    return jnp.sum(a * b, -1) / jnp.sqrt(jnp.sum(a * a, -1) * jnp.sum(b * b, -1) + 1e-8)


def torch_cosine(a, b):  # torch.cosine_similarity has its eps elsewhere
    return (a * b).sum(-1) / torch.sqrt((a * a).sum(-1) * (b * b).sum(-1) + 1e-8)


case(T, "try_cosine_similarity", cosine, torch_cosine, "s", a=(4, 3), b=(4, 3))
many(V, "cosine_similarity", cosine, torch_cosine,
     ("of_vectors", "cosine_similarity(a, b)", dict(a=(17,), b=(17,))),
     ("of_many_dims", "cosine_similarity(a, b)", dict(a=(2, 1, 3, 2), b=(2, 1, 3, 2))), out="s")

# ---- of distributions ----

divergence = lambda p, q: jnp.mean(optax.kl_divergence(logsoft(q), soft(p)))  # noqa: E731


def torch_divergence(p, q):
    return F.kl_div(F.log_softmax(q, -1), tsoft(p), reduction="sum") / (p.numel() // p.shape[-1])


pairs("kl_divergence", divergence, torch_divergence, shape=(4, 5), first="p", second="q",
      wrap="{}(softmax({}), softmax({}))")
case(T, "try_kl_divergence_of_one_hot", lambda l, q: jnp.mean(integer_ce(q, l)), lambda l, q: torch_ce(q, l), "loss",
     label=labels(4, n=3), q=(4, 3))


def normal_kl(mu, logvar):
    return jnp.mean(0.5 * jnp.sum(jnp.exp(logvar) + mu ** 2 - 1 - logvar, -1))


def torch_normal_kl(mu, logvar):
    normal = torch.distributions.Normal
    return torch.distributions.kl_divergence(normal(mu, torch.exp(logvar / 2)), normal(0.0, 1.0)).sum(-1).mean()


case(T, "try_gaussian_kl", normal_kl, torch_normal_kl, "loss", mu=(4, 3), logvar=(4, 3))
by_sigma = lambda f: lambda mu, s: f(mu, 2 * s)  # noqa: E731
case(T, "try_gaussian_kl_of", by_sigma(normal_kl), by_sigma(torch_normal_kl), "loss", mu=(4, 3), s=(4, 3))
for name, shape in [("of_one", (1,)), ("of_many_dims", (2, 1, 3, 5))]:
    variant(V, f"gaussian_kl_{name}", "gaussian_kl(mu, logvar)", normal_kl, torch_normal_kl, "loss", mu=shape, logvar=shape)
    variant(V, f"gaussian_kl_of_{name}", "gaussian_kl_of(mu, exp(s))", by_sigma(normal_kl), by_sigma(torch_normal_kl),
            "loss", mu=shape, s=shape)
pairs("poisson_nll", lambda z, n: jnp.mean(jnp.exp(z) - n * z), F.poisson_nll_loss, first="z", second="n")


def gaussian_nll(mu, lv, t):
    return jnp.mean(-jax.scipy.stats.norm.logpdf(t, mu, jnp.exp(lv / 2)) - 0.5 * math.log(2 * math.pi))


def torch_gaussian_nll(mu, lv, t):  # F.gaussian_nll_loss holds the variance to be constant
    return -torch.distributions.Normal(mu, torch.exp(lv / 2)).log_prob(t).mean() - 0.5 * math.log(2 * math.pi)


case(T, "try_gaussian_nll", gaussian_nll, torch_gaussian_nll, "loss", mu=(4, 3), logvar=(4, 3), t=(4, 3))
many(V, "gaussian_nll", gaussian_nll, torch_gaussian_nll,
     ("of_one", "gaussian_nll(mu, logvar, t)", dict(mu=(1,), logvar=(1,), t=(1,))),
     ("of_many_dims", "gaussian_nll(mu, logvar, t)", dict(mu=(2, 1, 3, 5), logvar=(2, 1, 3, 5), t=(2, 1, 3, 5))))
