#!/usr/bin/env python3
"""Writes tests/data/ops: what JAX, optax and PyTorch say of tests/ops/samples, and specs of more shapes with theirs.

    pip install jax optax torch && python3 tests/data/references [TOPIC…]

Every case names a net or step of a sample, its values, and what must come out: outputs, their gradients for drawn
cotangents and the gradients of these, or the parameters after each of some updates. Inputs are multiples of 1/128, so
that they are the same numbers in f32; everything is computed in f64. A value is stored where both libraries agree to
1e-9; where they may differ, the case says so.
"""
import activations  # noqa: F401
import blocks  # noqa: F401
import cases
import convolutions  # noqa: F401
import derivatives  # noqa: F401
import edges  # noqa: F401
import einsum  # noqa: F401
import initialisers  # noqa: F401
import losses  # noqa: F401
import metrics  # noqa: F401
import networks  # noqa: F401
import optimizers  # noqa: F401
import pooling  # noqa: F401
import recurrent  # noqa: F401
import shapes  # noqa: F401
import training  # noqa: F401

cases.write()
