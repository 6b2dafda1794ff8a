"""Parts, joins and orders of tensors, gathers and scatters."""
import jax
import jax.numpy as jnp
import torch
import torch.nn.functional as F
from cases import case, labels, variant

T, V = "shapes", "shapes_varied"


def three(function, written, reference, peer, *inputs, out="y", **more):
    """The case with a spec of its own, then variants of its sizes."""
    case(T, f"try_{function}", reference, peer, out, **inputs[0], **more)
    for number, given in enumerate(inputs[1:], 2):
        variant(V, f"{function}_{number}", written, reference, peer, out, **given, **more)


three("flatten", "flatten(x)", lambda x: x.reshape(x.shape[0], -1), lambda x: torch.flatten(x, 1), dict(x=(4, 2, 3, 2)),
      dict(x=(1, 1)), dict(x=(3, 5, 1)))
three("transpose", "transpose(x)", lambda x: jnp.swapaxes(x, -1, -2), lambda x: x.mT, dict(x=(4, 2, 3)), dict(x=(1, 1)),
      dict(x=(2, 1, 5, 3)))
three("channels_last", "channels_last(x)", lambda x: jnp.moveaxis(x, 1, -1), lambda x: x.permute(0, 2, 3, 1),
      dict(x=(4, 3, 2, 4)), dict(x=(1, 1, 1, 1)), dict(x=(2, 5, 1, 3)))
three("channels_first", "channels_first(x)", lambda x: jnp.moveaxis(x, -1, 1), lambda x: x.permute(0, 3, 1, 2),
      dict(x=(4, 2, 4, 3)), dict(x=(1, 1, 1, 1)), dict(x=(2, 5, 1, 3)))
three("reverse", "reverse(x)", lambda x: jnp.flip(x, -1), lambda x: x.flip(-1), dict(x=(4, 5)), dict(x=(1,)),
      dict(x=(2, 1, 3, 2)))


def part(a, b):
    f = lambda x: x[..., a:b]  # noqa: E731
    return f, f


case(T, "try_slice", *part(2, 5), x=(4, 7))
case(T, "try_slice_from_the_first", *part(0, 3), x=(4, 7))
variant(V, "slice_of_one", "slice(x, 6, 7)", *part(6, 7), x=(2, 7))
variant(V, "slice_of_all", "slice(x, 0, 3)", *part(0, 3), x=(2, 1, 3))


def split(at):
    return lambda x: (x[..., :at], x[..., at:]), lambda x: tuple(torch.tensor_split(x, [at], -1))


case(T, "try_split", *split(2), ["a", "b"], x=(4, 5))
variant(V, "split_in_ones", "a, b = split(x, 1)", *split(1), ["a", "b"], x=(2,))
variant(V, "split_late", "a, b = split(x, at = 6)", *split(6), ["a", "b"], x=(2, 1, 7))
for function, axis, shapes in [
        ("concat", -1, [((4, 2), (4, 3)), ((1,), (1,)), ((2, 1, 5), (2, 1, 1))]),
        ("concat_channels", 1, [((4, 2, 3, 2), (4, 1, 3, 2)), ((1, 1), (1, 1)), ((2, 1, 5), (2, 4, 5))])]:
    three(function, f"{function}(x, z)", lambda x, z: jnp.concatenate([x, z], axis), lambda x, z: torch.cat([x, z], axis),
          *[dict(x=a, z=b) for a, b in shapes])
three("stack", "stack(x, z)", lambda x, z: jnp.stack([x, z], -1), lambda x, z: torch.stack([x, z], -1),
      *[dict(x=s, z=s) for s in [(4, 3), (1,), (2, 1, 5)]])


def padded(p, value):
    return (lambda x: jnp.pad(x, ((0, 0),) * (x.ndim - 2) + ((p, p), (p, p)), constant_values=value),
            lambda x: F.pad(x, (p,) * 4, value=value))


case(T, "try_pad2d", *padded(2, 0.5), x=(4, 2, 3))
variant(V, "pad2d_of_one", "pad2d(x, 1)", *padded(1, 0.0), x=(1, 1))
variant(V, "pad2d_of_images", "pad2d(x, 3, value = -2.0)", *padded(3, -2.0), x=(2, 1, 2, 5))


def cropped(i, j, h, w):
    f = lambda x: x[..., i:i + h, j:j + w]  # noqa: E731
    return f, f


case(T, "try_crop2d", *cropped(1, 0, 2, 3), x=(4, 2, 5, 4))
variant(V, "crop2d_of_one", "crop2d(x, 2, 3, 1, 1)", *cropped(2, 3, 1, 1), x=(3, 4))
variant(V, "crop2d_of_all", "crop2d(x, top = 0, left = 0, height = 2, width = 5)", *cropped(0, 0, 2, 5), x=(2, 1, 2, 5))


def shuffle(r):
    def reference(x):
        b, c, h, w = x.shape
        return x.reshape(b, c // r ** 2, r, r, h, w).transpose(0, 1, 4, 2, 5, 3).reshape(b, c // r ** 2, h * r, w * r)
    return reference, lambda x: F.pixel_shuffle(x, r)


case(T, "try_pixel_shuffle", *shuffle(2), x=(4, 8, 2, 3))
variant(V, "pixel_shuffle_of_one", "pixel_shuffle(x, 1)", *shuffle(1), x=(1, 2, 1, 3))
variant(V, "pixel_shuffle_by_3", "pixel_shuffle(x, 3)", *shuffle(3), x=(2, 9, 1, 2))

take = lambda x, ids: x[ids]  # noqa: E731
three("take", "take(x, ids)", take, lambda x, ids: F.embedding(ids, x), dict(x=(5, 3), ids=labels(4, 2, n=5)),
      dict(x=(1, 1), ids=labels(3, n=1)), dict(x=(3, 7), ids=labels(2, 1, 4, n=3)))


def scatter(rows):
    return (lambda x, ids: jnp.zeros((rows, x.shape[1])).at[ids].add(x),
            lambda x, ids: torch.zeros(rows, x.shape[1]).index_add(0, ids, x))


case(T, "try_scatter_add", *scatter(4), x=(6, 3), ids=labels(6, n=4))
variant(V, "scatter_add_to_one", "scatter_add(x, ids, 1)", *scatter(1), x=(5, 2), ids=labels(5, n=1))
variant(V, "scatter_add_of_one", "scatter_add(x, ids, rows = 7)", *scatter(7), x=(1, 5), ids=labels(1, n=7))


def hot(n):
    return (lambda l, x: jax.nn.one_hot(l, n, dtype=x.dtype) * x, lambda l, x: F.one_hot(l, n) * x)


case(T, "try_one_hot", *hot(5), label=labels(4, n=5), x=(4, 5))
variant(V, "one_hot_of_one", "one_hot(label, 1) * x", *hot(1), label=labels(3, n=1), x=(3, 1))
variant(V, "one_hot_of_many_dims", "one_hot(label, 3) * x", *hot(3), label=labels(2, 1, 4, n=3), x=(2, 1, 4, 3))
three("cumulative_sum", "cumulative_sum(x)", lambda x: jnp.cumsum(x, -1), lambda x: x.cumsum(-1), dict(x=(4, 5)),
      dict(x=(1,)), dict(x=(2, 1, 3, 9)))
three("batched_product", "batched_product(x, z)", jnp.matmul, torch.matmul, dict(x=(4, 2, 3), z=(4, 3, 4)),
      dict(x=(1, 1), z=(1, 1)), dict(x=(2, 3, 1, 7), z=(2, 3, 7, 5)))

case(T, "try_argsort", lambda x, z: jnp.take_along_axis(z, jnp.argsort(x), -1), lambda x, z: z.gather(-1, x.argsort()),
     x=(4, 6), z=(4, 6))
for name, shape, body in [("of_one", (1,), "order = argsort(x)\ny[i in 0..0] = z[order[i]]"),
                          ("of_many_dims", (2, 3, 5), "order = argsort(x)\ny[a, b, i in 0..4] = z[a, b, order[a, b, i]]")]:
    variant(V, f"argsort_{name}", body, lambda x, z: jnp.take_along_axis(z, jnp.argsort(x), -1),
            lambda x, z: z.gather(-1, x.argsort()), x=shape, z=shape)
three("sort", "sort(x)", lambda x: jnp.sort(x, -1), lambda x: x.sort(-1)[0], dict(x=(4, 6)), dict(x=(1,)), dict(x=(2, 1, 3, 5)))
case(T, "try_sort_of_equals", lambda x: 0 * x, lambda x: 0 * x, x=(4, 6))


def top_k(k):
    def reference(x):
        values, places = jax.lax.top_k(x, k)
        return values, places.astype(x.dtype)

    def peer(x):
        values, places = x.topk(k)
        return values, places.double()
    return reference, peer


case(T, "try_top_k", *top_k(2), ["y", "position"], x=(4, 6))
for name, k, shape in [("of_one", 1, (1,)), ("of_all", 5, (2, 5)), ("of_many_dims", 1, (2, 1, 3, 5))]:
    variant(V, f"top_k_{name}", f"y, place = top_k(x, {k})\nposition = f32(place)", *top_k(k), ["y", "position"], x=shape)
