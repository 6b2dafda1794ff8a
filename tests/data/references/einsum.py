"""Index notation: products, traces, diagonals, arithmetic of dims."""
import jax.numpy as jnp
import torch
from cases import case

T = "einsum"
for name, formula, shapes in [
        ("product", "ik,kj->ij", dict(a=(3, 4), b=(4, 5))),
        ("product_of_batches", "nik,nkj->nij", dict(a=(3, 3, 4), b=(3, 4, 2))),
        ("product_permuted", "kni,jk->jni", dict(a=(4, 3, 3), b=(5, 4))),
        ("product_of_transposes", "ki,jk->ji", dict(a=(4, 3), b=(5, 4))),
        ("trace", "ii->", dict(a=(4, 4))),
        ("diagonal", "nii->ni", dict(a=(3, 4, 4))),
        ("partial_trace", "ikjk->ji", dict(a=(2, 3, 4, 3))),
        ("trace_of_product", "ik,ki->", dict(a=(3, 4), b=(4, 3))),
        ("outer", "i,j,k->ijk", dict(a=(3,), b=(2,), c=(4,))),
        ("bilinear", "ni,ij,nj->n", dict(x=(3, 3), M=(3, 5), z=(3, 5))),
        ("chain", "ij,jk,kl->il", dict(a=(3, 4), b=(4, 5), c=(5, 2))),
        ("scores", "nihd,njhd->nhij", dict(q=(3, 3, 2, 4), k=(3, 5, 2, 4))),
        ("sum_of_all", "nij->", dict(a=(3, 3, 2)))]:
    case(T, f"try_{name}", lambda *args: jnp.einsum(formula, *args), lambda *args: torch.einsum(formula, *args), **shapes)
case(T, "try_gram", lambda a: jnp.einsum("nik,njk->ij", a, a), lambda a: torch.einsum("nik,njk->ij", a, a), a=(3, 3, 4))
case(T, "try_diagonal_matrix", jnp.diag, torch.diag, a=(4,))
case(T, "try_kronecker", jnp.kron, torch.kron, a=(2, 3), b=(3, 2))
case(T, "try_full_convolution", jnp.convolve, lambda x, k: torch.nn.functional.conv1d(
    x[None, None], k.flip(0)[None, None], padding=2)[0, 0], x=(5,), k=(3,))
case(T, "try_interleaved", lambda a, b: jnp.stack([a, b], -1).reshape(3, 6), lambda a, b: torch.stack([a, b], -1).flatten(1),
     a=(3, 3), b=(3, 3))
