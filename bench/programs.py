"""programs.py: the programs of bench/run, each compiled once: an emitted network with the harness, and two peers in C++."""
import subprocess

from contest import FLAGS, HERE, OUT, PYTHON, ROOT, Contestant, Missing, pinned

LIBRARY = PYTHON.parent.parent  # where bench/setup puts oneDNN


def compiled(command):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    if done.returncode != 0:
        lines = (done.stderr or done.stdout).strip().splitlines()
        raise Missing("failed", " ".join(map(str, command[:2])) + ": " + (lines[0] if lines else "no word"))


class Programs:
    def __init__(self, gradc, compiler):
        self.gradc, self.compiler = gradc, compiler
        self.made, self.extra = {}, {}

    @staticmethod
    def key(row):
        sizes = [*row.consts.values(), *row.dims.values()]
        return "_".join([row.spec, *map(str, sizes), *([] if row.storage == "f32" else [row.storage])])

    @staticmethod
    def sizes(row):
        """Of the net and of the batch, which every peer that compiles is told, too."""
        return [f"-D{name}={value}" for name, value in {**row.consts, **row.dims}.items()]

    def folder(self, row):
        return OUT / "gen" / self.key(row)

    def prepare(self, row):
        """Compiles the row's program; keeps why, if that fails."""
        folder = self.folder(row)
        program = folder / "program"
        try:
            compiled([self.gradc, "build", HERE / "specs" / f"{row.spec}.nn", *self.sizes(row), "--isa=native",
                      f"--storage={row.storage}", "-o", folder])
            compiled([self.compiler, *FLAGS, f"-I{ROOT / 'runtime'}", f"-I{folder}", "-include", folder / f"{row.spec}.hpp",
                      f"-DNETWORK={row.spec}", "-pthread", HERE / "harness.cpp", folder / f"{row.spec}.cpp", "-o", program])
            self.made[self.key(row)] = program
        except Missing as why:
            self.made[self.key(row)] = why

    def contestants(self, row, functions, threads):
        """A process for each function, named after it; the last leaves its arrays for the peers."""
        if self.key(row) not in self.made:
            self.prepare(row)
        program = self.made[self.key(row)]
        if isinstance(program, Missing):
            raise program
        started = []
        for function in functions:
            folder = OUT / "rows" / row.id if function == row.function else OUT / "rows" / f"{row.id}.{function}"
            folder.mkdir(parents=True, exist_ok=True)
            started.append(Contestant(function, [*pinned(threads), program, function, folder, threads],
                                      folder / "gradc.log"))
            started[-1].ready()
        return started

    def once(self, name, command):
        """A peer in C++, compiled the first time that it is asked for."""
        if name not in self.extra:
            try:
                compiled([self.compiler, "-std=c++17", *command, HERE / f"{name}.cpp", "-o", OUT / name, *self.libraries(name)])
                self.extra[name] = OUT / name
            except Missing as why:
                self.extra[name] = why
        if isinstance(self.extra[name], Missing):
            raise self.extra[name]
        return self.extra[name]

    @staticmethod
    def libraries(name):
        return [f"-L{LIBRARY / 'lib'}", "-ldnnl", f"-Wl,-rpath,{LIBRARY / 'lib'}"] if name == "primitives" else []

    def primitives(self):
        if not (LIBRARY / "include" / "dnnl.hpp").exists():
            raise Missing("none", "oneDNN is not installed: bench/setup")
        return self.once("primitives", ["-O2", f"-I{LIBRARY / 'include'}"])

    def by_hand(self):
        return self.once("by_hand", ["-O3", "-march=native", "-ffast-math", "-Wall", "-Wextra"])
