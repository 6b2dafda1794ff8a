"""compile_time.py: rows K1 to K5 of bench/run: how long gradc and the host compiler take, how large what comes out is."""
import json
import shutil
import subprocess
import time

from contest import FLAGS, HERE, OUT, ROOT, Missing, run
from programs import compiled
from race import start_peer
from rows import COMPILED

# Seconds that were the goals, by row: from the spec to C++ (K1), and to the first step with g++ -O2 (K2).
GOALS = {"C1": (0.005, 0.6), "C5": (None, 1.2), "C8": (0.020, 1.2), "deep": (0.060, 4.0)}
COMPILERS = ["torch-compile", "jax"]

# A program of one step, with no more around it than has to be.
FIRST_STEP = """#include <cstdio>
#include <cstdlib>
#include "gradc/model.h"
int main() {{
  const gradc::Model& model = {spec}::model();
  const auto memory = [](unsigned long long n) {{ return std::aligned_alloc(64, (n + 128) / 64 * 64); }};
  void* inputs[] = {{std::calloc(1 << 24, 1), std::calloc(1 << 24, 1)}};
  float loss = 0;
  void* outputs[] = {{&loss}};
  gradc::Call call = {{}};
  call.parameters = memory(model.parameters_size), call.state = std::calloc(model.state_size + 64, 1);
  call.workspace = memory(model.workspace_size);
  call.inputs = inputs, call.outputs = outputs, call.seed = 1;
  model.init(call.parameters, call.state, 1);
  for (int k = 0; k < model.function_count; ++k)
    if (model.functions[k].kind == gradc::FunctionKind::step) return model.functions[k].run(call), std::printf("%g\\n", loss) < 0;
}}
"""


def timed(action):
    begin = time.perf_counter()
    action()
    return time.perf_counter() - begin


def emit(programs, row, folder):
    return lambda: compiled([programs.gradc, "build", HERE / "specs" / f"{row.spec}.nn", *programs.sizes(row),
                             "--isa=native", "-o", folder])


def first_step(programs, row, folder):
    """K2: everything that is between a spec and the first step."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "first.cpp").write_text(f'#include "{row.spec}.hpp"\n'
                                      + FIRST_STEP.format(spec=row.spec))

    def all_of_it():
        emit(programs, row, folder)()
        compiled([programs.compiler, *("-O2" if flag == "-O3" else flag for flag in FLAGS), f"-I{ROOT / 'runtime'}",
                  f"-I{folder}", folder / "first.cpp", folder / f"{row.spec}.cpp", "-pthread", "-o", folder / "first"])
        compiled([folder / "first"])

    return timed(all_of_it)


def sizes(programs, row, folder):
    """K4: bytes of machine code of the emitted file, and of a stripped program around it."""
    compiled([programs.compiler, *FLAGS, f"-I{ROOT / 'runtime'}", "-c", folder / f"{row.spec}.cpp", "-o", folder / "net.o"])
    text = int(run(["size", folder / "net.o"]).splitlines()[1].split()[0])
    compiled(["strip", folder / "first"])
    return text, (folder / "first").stat().st_size


def memory(programs, row):
    """K5: the peak of what a step works in, over the least that its tensors' lives allow."""
    stats = json.loads(run([programs.gradc, "stats", HERE / "specs" / f"{row.spec}.nn", "--json", *programs.sizes(row)]))
    step = next(m for m in stats["memory"] if m["function"] == row.function)
    return step["peak"] / max(step["lower_bound"], 1)


def peers_first_steps(programs, row, options):
    """Seconds of the first step of those that compile, with no cache to help."""
    found = {}
    step, = programs.contestants(row, [row.function], 1)  # leaves its arrays
    step.stop()
    for peer in (peer for peer in COMPILERS if peer in options.peers):
        try:
            contestant = start_peer(peer, row, OUT / "rows" / row.id, 1, options.limit, 10, programs,
                                    TORCHINDUCTOR_FORCE_DISABLE_CACHES="1")
            found[peer] = contestant.ready()
            contestant.stop()
        except Missing as why:
            found[peer] = why.cell
    return found


def measure(programs, options):
    print(f"{'K':5}{'workload':42}{'to C++':>9}{'first step':>12}{'compile':>9}{'JAX jit':>9}{'text':>9}{'program':>9}{'memory':>8}")
    results = []
    for row in COMPILED:
        folder = OUT / "first" / row.id
        try:
            first = first_step(programs, row, folder)
            to_text = min(timed(emit(programs, row, folder)) for _ in range(3 if options.quick else 10))
            text, program = sizes(programs, row, folder)
            peers = peers_first_steps(programs, row, options)
        except (Missing, subprocess.SubprocessError) as why:
            print(f"K    {row.title:42} {why}")
            continue
        excess = memory(programs, row)
        goal_text, goal_first = GOALS[row.id]
        cells = [f"{peers[p]:.1f} s" if isinstance(peers.get(p), float) else peers.get(p, "") for p in COMPILERS]
        print(f"K    {row.title:42}{1e3 * to_text:6.0f} ms{'*' if goal_text and to_text > goal_text else ' '}"
              f"{first:9.2f} s{'*' if first > goal_first else ' '}" + "".join(f"{c:>9}" for c in cells)
              + f"{text / 1024:6.0f} KB{program / 1024:6.0f} KB{excess:8.3f}", flush=True)
        results.append({"row": row.id, "workload": row.title, "seconds_to_text": to_text, "seconds_to_first_step": first,
                        "peers_seconds_to_first_step": peers, "text_bytes": text, "program_bytes": program,
                        "peak_over_least_memory": excess})
    return results
