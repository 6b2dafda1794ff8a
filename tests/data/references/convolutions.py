"""Convolutions and their transposes."""
import jax
import torch.nn.functional as F
from cases import case, variant

T, V = "convolutions", "convolutions_varied"
torch_convs = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}


def conv(n, stride=1, pad=0, dilation=1, groups=1):
    def reference(x, K, b=None):
        y = jax.lax.conv_general_dilated(x, K, (stride,) * n, ((pad, pad),) * n, rhs_dilation=(dilation,) * n,
                                         feature_group_count=groups)
        return y if b is None else y + b.reshape((-1,) + (1,) * n)
    return reference


def convs(n, **how):
    """What JAX and PyTorch compute."""
    def peer(x, K, b=None):
        return torch_convs[n](x, K, b, how.get("stride", 1), how.get("pad", 0), how.get("dilation", 1), how.get("groups", 1))
    return conv(n, **how), peer


def kernel(layer, *shape, bias=True):
    return {f"{layer}1.K": shape, **({f"{layer}1.b": shape[:1]} if bias else {})}


case(T, "try_conv1d", *convs(1, pad=1), x=(2, 2, 7), params=kernel("conv1d", 3, 2, 3))
case(T, "try_conv1d_dilated", *convs(1, stride=2, dilation=3), x=(2, 2, 9), params=kernel("conv1d", 3, 2, 2, bias=False))
variant(V, "conv1d_of_one", "x |> conv1d(1, k = 1)", *convs(1), x=(1, 1, 1), params=kernel("conv1d", 1, 1, 1))
variant(V, "conv1d_of_even_kernel", "x |> conv1d(2, k = 4)", *convs(1, pad=1), x=(2, 3, 6), params=kernel("conv1d", 2, 3, 4))
variant(V, "conv1d_by_3", "x |> conv1d(2, k = 5, stride = 3, pad = 3)", *convs(1, stride=3, pad=3), x=(2, 1, 11),
        params=kernel("conv1d", 2, 1, 5))

case(T, "try_conv2d", *convs(2, pad=1), x=(2, 2, 5, 4), params=kernel("conv2d", 3, 2, 3, 3))
case(T, "try_conv2d_by_2", *convs(2, stride=2, pad=1), x=(2, 2, 7, 6), params=kernel("conv2d", 3, 2, 3, 3))
case(T, "try_conv2d_of_5", *convs(2, pad=2), x=(2, 1, 6, 6), params=kernel("conv2d", 2, 1, 5, 5, bias=False))
case(T, "try_conv2d_of_1", *convs(2), x=(2, 3, 4, 5), params=kernel("conv2d", 2, 3, 1, 1))
case(T, "try_conv2d_dilated", *convs(2, dilation=2), x=(2, 2, 7, 8), params=kernel("conv2d", 2, 2, 3, 3))
variant(V, "conv2d_of_even_kernel", "x |> conv2d(2, k = 4)", *convs(2, pad=1), x=(2, 1, 5, 6), params=kernel("conv2d", 2, 1, 4, 4))
variant(V, "conv2d_of_one_pixel", "x |> conv2d(2)", *convs(2, pad=1), x=(1, 2, 1, 1), params=kernel("conv2d", 2, 2, 3, 3))
variant(V, "conv2d_to_one_pixel", "x |> conv2d(1, k = 3, pad = 0, bias = false)", *convs(2), x=(1, 2, 3, 3),
        params=kernel("conv2d", 1, 2, 3, 3, bias=False))
variant(V, "conv2d_by_more_than_k", "x |> conv2d(2, k = 2, stride = 3, pad = 0)", *convs(2, stride=3), x=(1, 1, 8, 7),
        params=kernel("conv2d", 2, 1, 2, 2))
variant(V, "conv2d_dilated_by_2", "x |> conv2d(1, k = 2, stride = 2, pad = 2, dilation = 3)",
        *convs(2, stride=2, pad=2, dilation=3), x=(1, 2, 5, 6), params=kernel("conv2d", 1, 2, 2, 2))
variant(V, "conv2d_dilated_same", "x |> conv2d(1, dilation = 2)", *convs(2, pad=2, dilation=2), x=(1, 1, 4, 5),
        params=kernel("conv2d", 1, 1, 3, 3))
variant(V, "conv2d_padded_wide", "x |> conv2d(1, k = 2, pad = 3)", *convs(2, pad=3), x=(1, 1, 2, 3),
        params=kernel("conv2d", 1, 1, 2, 2))

case(T, "try_conv3d", *convs(3, stride=2, pad=1), x=(2, 2, 4, 3, 4), params=kernel("conv3d", 2, 2, 3, 3, 3))
variant(V, "conv3d_of_one", "x |> conv3d(1, k = 1)", *convs(3), x=(1, 1, 1, 1, 1), params=kernel("conv3d", 1, 1, 1, 1, 1))
variant(V, "conv3d_of_even_kernel", "x |> conv3d(2, k = 2, pad = 1, bias = false)", *convs(3, pad=1), x=(1, 1, 3, 2, 3),
        params=kernel("conv3d", 2, 1, 2, 2, 2, bias=False))
variant(V, "conv3d_dilated", "x |> conv3d(1, k = 2, stride = 2, pad = 1, dilation = 2)",
        *convs(3, stride=2, pad=1, dilation=2), x=(1, 2, 4, 3, 5), params=kernel("conv3d", 1, 2, 2, 2, 2))

grouped = lambda *shape, **more: kernel("grouped_conv2d", *shape, **more)  # noqa: E731
case(T, "try_grouped_conv2d", *convs(2, stride=2, pad=1, groups=2), x=(2, 4, 5, 4), params=grouped(6, 2, 3, 3))
variant(V, "grouped_conv2d_of_one_group", "x |> grouped_conv2d(2, groups = 1)", *convs(2, pad=1), x=(1, 3, 3, 4),
        params=grouped(2, 3, 3, 3))
variant(V, "grouped_conv2d_of_single_channels", "x |> grouped_conv2d(6, groups = 3, k = 2, pad = 1, bias = false)",
        *convs(2, pad=1, groups=3), x=(2, 3, 3, 2), params=grouped(6, 1, 2, 2, bias=False))
variant(V, "grouped_conv2d_dilated", "x |> grouped_conv2d(2, groups = 2, stride = 2, dilation = 2)",
        *convs(2, stride=2, pad=2, dilation=2, groups=2), x=(1, 4, 5, 6), params=grouped(2, 2, 3, 3))

grouped1 = lambda *shape, **more: kernel("grouped_conv1d", *shape, **more)  # noqa: E731
case(T, "try_grouped_conv1d", *convs(1, stride=2, pad=1, groups=2), x=(2, 4, 7), params=grouped1(6, 2, 3))
variant(V, "grouped_conv1d_of_one_group", "x |> grouped_conv1d(2, groups = 1)", *convs(1, pad=1), x=(1, 3, 4),
        params=grouped1(2, 3, 3))
variant(V, "grouped_conv1d_dilated", "x |> grouped_conv1d(6, groups = 3, k = 2, pad = 1, dilation = 3, bias = false)",
        *convs(1, pad=1, dilation=3, groups=3), x=(2, 3, 5), params=grouped1(6, 1, 2, bias=False))
grouped3 = lambda *shape, **more: kernel("grouped_conv3d", *shape, **more)  # noqa: E731
case(T, "try_grouped_conv3d", *convs(3, stride=2, pad=1, groups=2), x=(2, 2, 3, 4, 3), params=grouped3(4, 1, 3, 3, 3))
variant(V, "grouped_conv3d_of_one_group", "x |> grouped_conv3d(1, groups = 1, k = 2, pad = 0)", *convs(3), x=(1, 2, 2, 3, 2),
        params=grouped3(1, 2, 2, 2, 2))
variant(V, "grouped_conv3d_dilated", "x |> grouped_conv3d(2, groups = 2, k = 2, pad = 1, dilation = 2, bias = false)",
        *convs(3, pad=1, dilation=2, groups=2), x=(1, 4, 3, 2, 1), params=grouped3(2, 2, 2, 2, 2, bias=False))


def depthwise(channels, n=2, **how):
    reference, peer = convs(n, groups=channels, **how)
    return lambda x, K, *b: reference(x, K[:, None], *b), lambda x, K, *b: peer(x, K[:, None], *b)


deep = lambda *shape, **more: kernel("depthwise_conv2d", *shape, **more)  # noqa: E731
case(T, "try_depthwise_conv2d", *depthwise(3, pad=1), x=(2, 3, 5, 4), params=deep(3, 3, 3))
variant(V, "depthwise_conv2d_of_one_channel", "x |> depthwise_conv2d(k = 2)", *depthwise(1, pad=0), x=(1, 1, 3, 4),
        params=deep(1, 2, 2))
variant(V, "depthwise_conv2d_by_2", "x |> depthwise_conv2d(k = 5, stride = 2, bias = false)", *depthwise(2, stride=2, pad=2),
        x=(2, 2, 6, 5), params=deep(2, 5, 5, bias=False))
variant(V, "depthwise_conv2d_dilated", "x |> depthwise_conv2d(k = 2, pad = 1, dilation = 3)", *depthwise(2, pad=1, dilation=3),
        x=(1, 2, 4, 6), params=deep(2, 2, 2))


deep1 = lambda *shape, **more: kernel("depthwise_conv1d", *shape, **more)  # noqa: E731
case(T, "try_depthwise_conv1d", *depthwise(3, 1, pad=1), x=(2, 3, 6), params=deep1(3, 3))
variant(V, "depthwise_conv1d_by_2", "x |> depthwise_conv1d(k = 5, stride = 2, bias = false)", *depthwise(2, 1, stride=2, pad=2),
        x=(2, 2, 7), params=deep1(2, 5, bias=False))
variant(V, "depthwise_conv1d_dilated", "x |> depthwise_conv1d(k = 2, pad = 1, dilation = 3)", *depthwise(1, 1, pad=1, dilation=3),
        x=(1, 1, 4), params=deep1(1, 2))
deep3 = lambda *shape, **more: kernel("depthwise_conv3d", *shape, **more)  # noqa: E731
case(T, "try_depthwise_conv3d", *depthwise(2, 3, pad=1), x=(2, 2, 3, 2, 4), params=deep3(2, 3, 3, 3))
variant(V, "depthwise_conv3d_by_2", "x |> depthwise_conv3d(k = 2, stride = 2, pad = 1, bias = false)",
        *depthwise(2, 3, stride=2, pad=1), x=(1, 2, 3, 2, 4), params=deep3(2, 2, 2, 2, bias=False))
variant(V, "depthwise_conv3d_dilated", "x |> depthwise_conv3d(k = 2, pad = 1, dilation = 2)",
        *depthwise(1, 3, pad=1, dilation=2), x=(2, 1, 2, 1, 3), params=deep3(1, 2, 2, 2))


def transposed(k, stride, pad, more=0, n=2):
    def reference(x, K, b=None):
        low = k - 1 - pad
        mirrored = jax.numpy.flip(K.swapaxes(0, 1), range(2, 2 + n))
        y = jax.lax.conv_general_dilated(x, mirrored, (1,) * n, ((low, low + more),) * n, lhs_dilation=(stride,) * n)
        return y if b is None else y + b.reshape((-1,) + (1,) * n)
    torch_transposes = {1: F.conv_transpose1d, 2: F.conv_transpose2d, 3: F.conv_transpose3d}
    return reference, lambda x, K, b=None: torch_transposes[n](x, K, b, stride, pad, more)


def back(C, filters, k, bias=True, n=2):
    layer = f"transposed_conv{n}d1"
    return {f"{layer}.K": (C, filters) + (k,) * n, **({f"{layer}.b": (filters,)} if bias else {})}


case(T, "try_transposed_conv2d", *transposed(4, 2, 1), x=(2, 2, 3, 4), params=back(2, 3, 4))
case(T, "try_transposed_conv2d_by_1", *transposed(3, 1, 0), x=(2, 2, 3, 4), params=back(2, 3, 3, bias=False))
case(T, "try_transposed_conv2d_with_more", *transposed(3, 2, 1, 1), x=(2, 2, 3, 3), params=back(2, 2, 3))
variant(V, "transposed_conv2d_of_one_pixel", "x |> transposed_conv2d(2, k = 5)", *transposed(5, 1, 0), x=(1, 1, 1, 1),
        params=back(1, 2, 5))
variant(V, "transposed_conv2d_by_3", "x |> transposed_conv2d(1, k = 2, stride = 3, output_pad = 2)", *transposed(2, 3, 0, 2),
        x=(2, 3, 2, 3), params=back(3, 1, 2))
variant(V, "transposed_conv2d_cropped", "x |> transposed_conv2d(2, k = 5, stride = 3, pad = 2, bias = false)",
        *transposed(5, 3, 2), x=(1, 1, 3, 2), params=back(1, 2, 5, bias=False))
case(T, "try_transposed_conv1d", *transposed(4, 2, 1, n=1), x=(2, 2, 4), params=back(2, 3, 4, n=1))
variant(V, "transposed_conv1d_of_one", "x |> transposed_conv1d(2, k = 5)", *transposed(5, 1, 0, n=1), x=(1, 1, 1),
        params=back(1, 2, 5, n=1))
variant(V, "transposed_conv1d_by_3", "x |> transposed_conv1d(1, k = 2, stride = 3, output_pad = 2, bias = false)",
        *transposed(2, 3, 0, 2, n=1), x=(2, 3, 3), params=back(3, 1, 2, bias=False, n=1))
case(T, "try_transposed_conv3d", *transposed(3, 2, 1, 1, n=3), x=(2, 2, 2, 3, 2), params=back(2, 1, 3, n=3))
variant(V, "transposed_conv3d_of_one", "x |> transposed_conv3d(2, k = 2)", *transposed(2, 1, 0, n=3), x=(1, 1, 1, 1, 1),
        params=back(1, 2, 2, n=3))
variant(V, "transposed_conv3d_cropped", "x |> transposed_conv3d(2, k = 4, stride = 3, pad = 2, bias = false)",
        *transposed(4, 3, 2, n=3), x=(1, 1, 3, 2, 2), params=back(1, 2, 4, bias=False, n=3))
case(T, "try_padding", *convs(1, pad=2), x=(2, 2, 6), params=kernel("conv1d", 2, 2, 3))
variant(V, "padding_same", "z[n, c, i] = x[n, c, i] * f32(padding(same, 2)) + f32(padding(1, 2))\ny = z",
        lambda x: 2 * x + 1, lambda x: 2 * x + 1, x=(1, 2, 3))
variant(V, "padding_wide", "z[n, c, i] = x[n, c, i] * f32(padding(5, 0))\ny = z", lambda x: 5 * x, lambda x: 5 * x, x=(1, 1, 2))
variant(V, "padding_none", "z[n, c, i] = x[n, c, i] * f32(padding(same, 4)) + f32(padding(0, 2))\ny = z",
        lambda x: 4 * x, lambda x: 4 * x, x=(1, 2, 3))
