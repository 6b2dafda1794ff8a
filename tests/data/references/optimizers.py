"""Where optimizers and schedules go, by optax and, where it has the same, by torch.optim."""
import jax
import jax.numpy as jnp
import numpy as np
import optax
import torch
from cases import Draws, encode, is_wanted, put, same, silent

steps = 6
steepness = 0.5 * np.arange(1, 7)


def bowl(w, x):
    return jnp.sum((w - x) ** 4 + steepness * (w - x) ** 2)


def torch_path(w, x, peer):
    """The parameters after each update; `peer` gives what is to be stepped, in that order."""
    w, x = torch.nn.Parameter(torch.tensor(w)), torch.tensor(x)
    stepped = peer(w)
    path = []
    for _ in range(steps):
        stepped[0].zero_grad()
        ((w - x) ** 4 + torch.tensor(steepness) * (w - x) ** 2).sum().backward()
        for s in stepped:
            s.step()
        path.append(w.detach().numpy().copy())
    return path


def trajectory(name, optimizer, peer, average=None):
    if not is_wanted("optimizers"):
        return
    draw = Draws(name).floats
    w, x = jnp.asarray(draw(6, low=-1, high=1)), jnp.asarray(draw(6, low=-1, high=1))
    values = {f"of_{name}.w": encode(w), f"try_{name}.x": encode(x)}
    other = torch_path(np.asarray(w), np.asarray(x), peer) if callable(peer) else None
    if other is None:
        silent[f"try_{name}"] = peer
    state, path, losses = optimizer.init(w), [], []
    averages = average.init(w) if average else None
    for k in range(steps):
        loss, g = jax.value_and_grad(bowl)(w, x)
        update, state = optimizer.update(g, state, w)
        w = optax.apply_updates(w, update)
        assert other is None or same(other[k], w), f"{name}: {w} by optax, {other[k]} by PyTorch after {k + 1}"
        path.append({f"of_{name}.w": encode(w)})
        if average:
            mean, averages = average.update(w, averages)
            path[-1][f"try_{name}.of_{name}.w.average"] = encode(mean)
        losses.append(float(loss))
    put("optimizers", f"try_{name}", {"values": values, "path": path, "losses": losses})


def of(kind, **more):
    return lambda w: [kind([w], **more)]


def with_rate(kind, lr, scheduler, **more):
    def peer(w):
        optimizer = kind([w], lr=lr)
        return [optimizer, scheduler(optimizer, **more)]
    return peer


O = torch.optim  # noqa: E741
S = torch.optim.lr_scheduler
trajectory("sgd", optax.sgd(0.05), of(O.SGD, lr=0.05))
trajectory("sgd_with_momentum", optax.sgd(0.05, momentum=0.9), of(O.SGD, lr=0.05, momentum=0.9))
trajectory("sgd_with_weight_decay", optax.chain(optax.add_decayed_weights(0.1), optax.sgd(0.05, momentum=0.5)),
           of(O.SGD, lr=0.05, momentum=0.5, weight_decay=0.1))
trajectory("adam", optax.adam(0.1), of(O.Adam, lr=0.1))
trajectory("adam_slower", optax.adam(0.05, b1=0.8, b2=0.95, eps=1e-3), of(O.Adam, lr=0.05, betas=(0.8, 0.95), eps=1e-3))
trajectory("adamw", optax.adamw(0.1, weight_decay=0.1), of(O.AdamW, lr=0.1, weight_decay=0.1))
trajectory("nesterov", optax.sgd(0.05, momentum=0.9, nesterov=True), of(O.SGD, lr=0.05, momentum=0.9, nesterov=True))
trajectory("adagrad", optax.adagrad(0.2, initial_accumulator_value=0.0, eps=0.0), of(O.Adagrad, lr=0.2, eps=0.0))
trajectory("rmsprop", optax.rmsprop(0.05, eps=1e-8, eps_in_sqrt=False), of(O.RMSprop, lr=0.05, alpha=0.9))
trajectory("rmsprop_with_momentum", optax.chain(optax.scale_by_rms(decay=0.9, eps=1e-8, eps_in_sqrt=False),
                                                optax.trace(0.8), optax.scale(-0.02)),
           of(O.RMSprop, lr=0.02, alpha=0.9, momentum=0.8))
trajectory("adadelta", optax.adadelta(1.0, rho=0.9, eps=1e-6), of(O.Adadelta, lr=1.0, rho=0.9, eps=1e-6))
trajectory("adamax", optax.adamax(0.1), of(O.Adamax, lr=0.1))
trajectory("nadam", optax.nadam(0.1), "its momentum grows with the steps, and ours is that of optax")
trajectory("lamb", optax.lamb(0.1, weight_decay=0.1), "PyTorch has no LAMB")
trajectory("lion", optax.lion(0.03, weight_decay=0.1), "PyTorch has no Lion")


def rate(schedule):
    """optax counts updates from 0, in i32, which would make the rate an f32."""
    return lambda count: schedule(jnp.asarray(count, jnp.float64))


trajectory("step_decay", optax.sgd(rate(lambda t: 0.1 * 0.5 ** (t // 2))), with_rate(O.SGD, 0.1, S.StepLR, step_size=2, gamma=0.5))
trajectory("exponential_decay", optax.sgd(rate(optax.exponential_decay(0.1, 1, 0.8))),
           with_rate(O.SGD, 0.1, S.ExponentialLR, gamma=0.8))
trajectory("cosine", optax.adam(rate(optax.cosine_decay_schedule(0.1, 5, alpha=0.1))),
           with_rate(O.Adam, 0.1, S.CosineAnnealingLR, T_max=5, eta_min=0.01))
trajectory("warm_up", optax.sgd(rate(lambda t: 0.1 * jnp.minimum((t + 1) / 3, 1))),
           with_rate(O.SGD, 0.1, S.LinearLR, start_factor=1 / 3, total_iters=2))
trajectory("warm_up_then_cosine", optax.sgd(
    rate(lambda t: jnp.minimum((t + 1) / 3, 1) * optax.cosine_decay_schedule(0.1, 6)(t))),
    with_rate(O.SGD, 0.1, S.LambdaLR, lr_lambda=lambda t: min((t + 1) / 3, 1) * (1 + np.cos(np.pi * t / 6)) / 2))
trajectory("one_cycle", optax.sgd(rate(optax.cosine_onecycle_schedule(
    6, 0.1, pct_start=0.5, div_factor=25.0, final_div_factor=10000.0))), "its phases end one update earlier, ours are those of optax")


def clipped(clip, kind, limit, **more):
    class Clip:
        def __init__(self, w):
            self.w, self.optimizer = w, kind([w], **more)

        def zero_grad(self):
            self.optimizer.zero_grad()

        def step(self):
            clip([self.w], limit)
            self.optimizer.step()
    return lambda w: [Clip(w)]


clip_value = torch.nn.utils.clip_grad_value_
trajectory("clip_value", optax.chain(optax.clip(0.5), optax.sgd(0.05, momentum=0.9)),
           clipped(clip_value, O.SGD, 0.5, lr=0.05, momentum=0.9))
trajectory("clip_norm", optax.chain(optax.clip_by_global_norm(1.0), optax.adam(0.1)), "it divides by the norm plus 1e-6")
trajectory("accumulate_gradients", optax.MultiSteps(optax.chain(optax.clip_by_global_norm(1.0), optax.adam(0.1)), 2),
           "a loop around an optimizer there")
trajectory("decay_weights", optax.chain(optax.scale_by_rms(decay=0.9, eps=1e-8, eps_in_sqrt=False), optax.scale(-0.05),
                                        optax.add_decayed_weights(-0.01)), "only AdamW decays apart from the gradient")
trajectory("average_weights", optax.sgd(0.05), of(O.SGD, lr=0.05), average=optax.ema(0.9))
