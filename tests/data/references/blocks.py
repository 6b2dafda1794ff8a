"""Layers that stack others in a loop."""
import jax
import torch.nn.functional as F
from cases import case, variant
from networks import block_params, dense_block, norm, torch_dense_block, torch_gelu_block, transformer

T, V = "blocks", "blocks_varied"


def mlp(relu):
    def reference(x, *w):
        *hidden, last, offset = w
        for W, b in zip(hidden[::2], hidden[1::2], strict=True):
            x = relu(x @ W + b)
        return x @ last + offset
    return reference


def mlp_params(*widths):
    names = [f"hidden{k}" for k in range(1, len(widths) - 1)] + ["out"]
    return {f"body.{name}.{p}": shape for name, a, b in zip(names, widths[:-1], widths[1:], strict=True)
            for p, shape in [("W", (a, b)), ("b", (b,))]}


both = mlp(jax.nn.relu), mlp(F.relu)
case(T, "try_mlp", *both, x=(3, 3), params=mlp_params(3, 5, 5, 2))
case(T, "try_mlp_without_hidden_layers", *both, x=(3, 3), params=mlp_params(3, 2))
variant(V, "mlp_of_one", "x |> body: mlp(1, hidden = 1)", *both, x=(1,), params=mlp_params(1, 1, 1))
variant(V, "mlp_of_many_dims", "x |> body: mlp(2, hidden = 3, layers = 3)", *both, x=(2, 1, 2), params=mlp_params(2, 3, 3, 3, 2))


def stacked(block, size):
    def reference(x, *w):
        for k in range(0, len(w), size):
            x = block(x, *w[k:k + size])
        return x
    return reference


case(T, "try_transformer", stacked(transformer, 13), stacked(torch_gelu_block, 13), x=(3, 3, 4),
     params={**block_params("body.block1", 4, 6), **block_params("body.block2", 4, 6)})
variant(V, "transformer_of_one_block", "x |> body: transformer(layers = 1, heads = 1)",
        lambda *v: transformer(*v, heads=1, causal=False), lambda *v: torch_gelu_block(*v, heads=1, causal=False),
        x=(1, 2, 3), params=block_params("body.block1", 3, 12))
variant(V, "transformer_of_three_blocks", "x |> body: transformer(layers = 3, heads = 2, hidden = 1, causal = true)",
        stacked(transformer, 13), stacked(torch_gelu_block, 13), x=(1, 3, 4),
        params={k: v for n in (1, 2, 3) for k, v in block_params(f"body.block{n}", 4, 1).items()})


def dense_params(C, growth, layers):
    return {k: v for n in range(layers) for k, v in {
        **norm(f"body.block{n + 1}.norm", C + n * growth),
        f"body.block{n + 1}.conv.K": (growth, C + n * growth, 3, 3)}.items()}


case(T, "try_dense_blocks", stacked(dense_block, 3), stacked(torch_dense_block, 3), x=(3, 2, 4, 3), params=dense_params(2, 2, 2))
of_one = lambda block: lambda *v: block(*v, groups=1)  # noqa: E731
for layers, shape in [(1, (2, 1, 1, 2)), (3, (1, 1, 2, 2))]:
    variant(V, f"dense_blocks_of_{layers}", f"x |> body: dense_blocks(1, layers = {layers}, groups = 1)",
            stacked(of_one(dense_block), 3), stacked(of_one(torch_dense_block), 3), x=shape, params=dense_params(1, 1, layers))
