"""What initialisers draw from: their distributions, from the papers named in the prelude."""
import math

from cases import put


def distribution(name, mean, std, low=None, high=None):
    bounds = {} if low is None else {"low": low, "high": high}
    put("initialisers", name, {"distribution": {"mean": mean, "std": std, **bounds}})


distribution("try_zeros", 0, 0)
distribution("try_ones", 1, 0)
distribution("try_constant", 0.25, 0)
for kind, variance in [("he", 2 / 64), ("lecun", 1 / 64), ("glorot", 2 / (64 + 48))]:
    std = math.sqrt(variance)
    distribution(f"try_{kind}_normal", 0, std)
    distribution(f"try_{kind}_uniform", 0, std, -std * math.sqrt(3), std * math.sqrt(3))
