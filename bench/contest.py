"""contest.py: what bench/run and bench/sweep share: programs that are timed in turn, and what one core can do."""
import json
import os
import pathlib
import statistics
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
OUT = ROOT / "build" / "bench"
PYTHON = OUT / "venv" / "bin" / "python"
# As `gradc build --binary` compiles.
FLAGS = ["-std=c++17", "-O3", "-march=native", "-ffp-contract=fast", "-fno-math-errno", "-fno-trapping-math"]
SECONDS = 0.05  # one measurement, about
LOSSES = 10  # compared


class Missing(Exception):
    pass


class Contestant:
    """A process that answers lines: the harness or a peer."""

    def __init__(self, name, command, log, environment=None):
        self.name = name
        self.log = log
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=open(log, "w"),
                                        text=True, env=environment)
        self.times = []
        self.calls = 1
        self.answer()

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            raise Missing(f"{self.name} failed; see {self.log}")
        return line.strip()

    def ask(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self.answer()

    def losses(self):
        return [float(word) for word in self.ask(f"losses {LOSSES}").split()]

    def time(self):
        return float(self.ask(f"time {self.calls}")) / self.calls

    def calibrate(self):
        self.time()  # warm
        self.calls = 1
        while (taken := self.time() * self.calls) < SECONDS:
            self.calls = max(self.calls * 2, int(self.calls * SECONDS / max(taken, 1e-7)))

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def run(command, **more):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, **more)
    if done.returncode != 0:
        sys.exit(f"run: {' '.join(map(str, command))} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def build_gradc():
    run(["cmake", "--preset", "release"], cwd=ROOT)
    run(["cmake", "--build", "--preset", "release", "--target", "gradc"], cwd=ROOT)
    return ROOT / "build" / "release" / "bin" / "gradc"


def probe(compiler):
    program = OUT / "probe"
    if not program.exists():
        run([compiler, *FLAGS, f"-I{ROOT / 'runtime'}", HERE / "probe.cpp", "-o", program])
    return json.loads(run([*pinned(), program]))


def pinned(threads=1):
    """So many threads, on as many processors, the last there are."""
    return ["taskset", "-c", ",".join(str(cpu) for cpu in sorted(os.sched_getaffinity(0))[-threads:])]


def interleaved(contestants, repetitions):
    """Best and median seconds of one call of each, measured in turn; ends them."""
    for contestant in contestants:
        contestant.calibrate()
    for _ in range(repetitions):
        for contestant in contestants:
            contestant.times.append(contestant.time())
    for contestant in contestants:
        contestant.close()
    return {c.name: {"best": min(c.times), "median": statistics.median(c.times)} for c in contestants}
