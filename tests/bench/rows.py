"""The measurements: each row prepares, takes its turns, and removes its resources."""

import os
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

from engine import Engine, Pair, Postgres, amqp_login, side_by_side

POSTGRES = """
  db{n}:
    image: postgres:17
    environment: {{ POSTGRES_USER: shop, POSTGRES_PASSWORD: local, POSTGRES_DB: shop }}
    ports: ["127.0.0.1::5432"]
    volumes: ["db{n}:/var/lib/postgresql/data"]
    healthcheck: {{ test: [CMD, pg_isready, -h, 127.0.0.1, -U, shop, -d, shop], interval: 1s, retries: 120 }}
"""
REDIS = """
  cache{n}:
    image: redis:8.0
    command: redis-server --requirepass local
    ports: ["127.0.0.1::6379"]
    volumes: ["cache{n}:/data"]
    healthcheck: {{ test: [CMD, redis-cli, -a, local, ping], interval: 1s, retries: 120 }}
"""
QUEUE = """
  queue{n}:
    image: rabbitmq:4.0
    hostname: queue{n}
    environment: {{ RABBITMQ_DEFAULT_USER: shop, RABBITMQ_DEFAULT_PASS: local, RABBITMQ_DEFAULT_VHOST: shop }}
    ports: ["127.0.0.1::5672"]
    volumes: ["queue{n}:/var/lib/rabbitmq"]
    healthcheck: {{ test: [CMD, rabbitmq-diagnostics, -q, ping], interval: 1s, retries: 120 }}
"""
# A thousand rows are a megabyte, without compression.
TABLE = """
CREATE TABLE {name} AS SELECT i AS id, repeat(md5(i::text), 29) AS filler FROM generate_series(1, {rows}) i;
ALTER TABLE {name} ADD PRIMARY KEY (id);
"""


KINDS = {POSTGRES: ("db", "DATABASE"), REDIS: ("cache", "REDIS"), QUEUE: ("queue", "AMQP")}


def compose_file(services):
    """A Compose file of these services."""
    texts = [service.format(n=number or "") for number, service in enumerate(services)]
    volumes = [f"{KINDS[service][0]}{number or ''}: {{}}" for number, service in enumerate(services)]
    return f"services:\n{''.join(texts)}volumes: {{ {', '.join(volumes)} }}\n"


def local_file(services):
    """The variables with the addresses of the services, because the projects have no app."""
    lines = [f"  {KINDS[service][1]}{number or ''}_URL: ${{{KINDS[service][0]}{number or ''}.url}}\n"
             for number, service in enumerate(services)]
    return f"variables:\n{''.join(lines)}"


class Bench:
    """Both programs, the engine, and a folder for projects."""

    def __init__(self, devenv, compose, folder, name):
        self.devenv, self.compose, self.folder, self.name = devenv, compose, folder, name
        self.engine = Engine()
        # A separate key leads to separate bases: the bench uses no base of an earlier run.
        self.environment = {**os.environ, "HOME": str(folder / "home"), "XDG_DATA_HOME": str(folder / "home/data")}
        (folder / "home").mkdir(exist_ok=True)

    def project(self, name, services, local=""):
        """A folder with a Compose file; `local` is the content of `services.local.yaml`."""
        place = self.folder / name
        place.mkdir()
        text = f"name: {self.name}-{name}\n{compose_file(services)}"
        (place / "compose.yaml").write_text(text)
        (place / "services.local.yaml").write_text(local_file(services) + local)
        return place

    def run(self, command, folder):
        """Returns the seconds of one command; shows its output if it fails."""
        with tempfile.TemporaryFile() as log:
            start = time.perf_counter()
            outcome = subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                     env=self.environment, check=False)
            seconds = time.perf_counter() - start
            if outcome.returncode != 0:
                log.seek(0)
                sys.stderr.write(log.read().decode(errors="replace"))
                raise RuntimeError(f"{' '.join(map(str, command))} failed in {folder}")
            return seconds

    def up(self, place, *options):
        """`devenv up`."""
        return self.run([self.devenv, "up", "--timeout", "10m", *options], place)

    def down(self, place, *options):
        """`devenv down`."""
        return self.run([self.devenv, "down", *options], place)

    def gone(self, place):
        """`devenv down` with the data."""
        return self.down(place, "--volumes", "--yes")

    def compose_up(self, place):
        """`docker compose up -d --wait`."""
        return self.run([self.compose, "up", "-d", "--wait"], place)

    def compose_gone(self, place):
        """`docker compose down` with the data."""
        return self.run([self.compose, "down", "-v"], place)

    def fresh(self, place, *options):
        """A turn: a fresh start, and a removal that is not measured."""
        seconds = self.up(place, *options)
        self.gone(place)
        return seconds

    def compose_fresh(self, place):
        """The same with Compose."""
        seconds = self.compose_up(place)
        self.compose_gone(place)
        return seconds

    def clear(self):
        """Removes all leftovers of the projects, and the bases."""
        for place in self.folder.iterdir():
            if (place / "compose.yaml").exists():
                for command in ([self.devenv, "down", "--volumes", "--yes"], [self.compose, "down", "-v"],
                                [self.devenv, "gc"]):
                    subprocess.run(command, cwd=place, capture_output=True, env=self.environment, check=False)

    def url(self, place, name="DATABASE_URL"):
        """A variable of `.env`."""
        return re.search(rf"^{name}='?([^'\n]+)", (place / ".env").read_text(), re.MULTILINE).group(1)


class Row:
    """A part of the table: `turns` are taken one after the other, in every round."""

    def __init__(self, bench):
        self.bench, self.turns, self.lines, self.notes = bench, {}, [], []

    def line(self, text, ours, beside=None, against="", bar=""):
        """A line of the table: the median of one turn compared with the median of another."""
        self.lines.append((text, ours, beside, against, bar))

    def end(self):
        """Removes resources that the bench itself does not know."""


class Same(Row):
    """Nothing to do, at rest, while the services of the other program do not run: Compose's health checks, and a broker
    that still starts, would affect the measurement."""

    REST = 3

    def __init__(self, bench):
        super().__init__(bench)
        self.place = bench.project("same", [POSTGRES, REDIS, QUEUE])
        self.turns = {"devenv": self.devenv, "compose": self.compose}
        self.line("nothing to do, three services", "devenv", "compose", "Compose", "0.05")

    def devenv(self):
        self.bench.up(self.place)
        time.sleep(self.REST)
        seconds = self.bench.up(self.place)
        self.bench.down(self.place)
        return seconds

    def compose(self):
        self.bench.compose_up(self.place)
        time.sleep(self.REST)
        seconds = self.bench.compose_up(self.place)
        self.bench.run([self.bench.compose, "stop"], self.place)
        return seconds


class Fresh(Row):
    """A fresh Postgres and Redis."""

    def __init__(self, bench):
        super().__init__(bench)
        place = bench.project("pair", [POSTGRES, REDIS])
        bench.fresh(place)
        self.pair = Pair(bench.engine, f"{bench.name}-bare")
        self.turns = {
            "base": lambda: bench.fresh(place),
            "cold": lambda: bench.fresh(place, "--cold"),
            "compose": lambda: bench.compose_fresh(place),
            "bare": self.bare,
        }
        self.line("Postgres and Redis, fresh, from a base", "base", "compose", "Compose", "0.25")
        self.line("the same", "base", "bare", "bare calls, initialised volume", "1.3")
        self.line("the same with `--cold`: Postgres initialises", "cold", "compose", "Compose", "")

    def bare(self):
        seconds = self.pair.up()
        self.pair.clear()
        return seconds

    def end(self):
        self.pair.end()


class Queue(Row):
    """With the slowest service, which limits every program."""

    def __init__(self, bench):
        super().__init__(bench)
        place = bench.project("triple", [POSTGRES, REDIS, QUEUE])
        bench.fresh(place)
        self.turns = {"devenv": lambda: bench.fresh(place), "bare": self.bare}
        self.line("with RabbitMQ, fresh", "devenv", "bare", "RabbitMQ alone, to its first login", "1.1")

    def bare(self):
        began = time.perf_counter()
        environment = [f"RABBITMQ_DEFAULT_{key}" for key in ("USER=shop", "PASS=local", "VHOST=shop")]
        container = self.bench.engine.start("rabbitmq:4.0", amqp_login, 5672, Hostname="queue", Env=environment)
        seconds = time.perf_counter() - began
        self.bench.engine.remove(container)
        return seconds


class Seeded(Row):
    """Fresh from a base with a gigabyte, which a seed makes."""

    def __init__(self, bench, megabytes=1000):
        super().__init__(bench)
        place = bench.project("seeded", [POSTGRES, REDIS], "seeds: { db: [seed.sql] }\n")
        empty = bench.project("empty", [POSTGRES, REDIS])
        (place / "seed.sql").write_text(TABLE.format(name="big", rows=megabytes * 1000))
        bench.fresh(empty)
        bench.fresh(place)
        shell = [bench.devenv, "shell", "db", "--admin", "--", "sh", "-c"]
        dumped = self.bench.folder / "keeps-the-dump"
        shutil.copytree(place, dumped)
        # The server with the dump continues in a separate checkout.
        bench.up(dumped)
        bench.run([*shell, "pg_dump -Fc -Z0 -f /tmp/dump shop && createdb into"], dumped)
        self.turns = {
            "seeded": lambda: bench.fresh(place),
            "empty": lambda: bench.fresh(empty),
            "restore": lambda: self.restore(dumped, shell),
        }
        size = f"{megabytes / 1000:g} GB"
        self.line(f"fresh, with {size} in the base", "seeded", "empty", "the empty one", "1.2")
        self.line("the same", "seeded", "restore", "`pg_restore` of its dump, server running", "")
        self.notes.append(f"The {size} come from a seed of SQL.")

    def restore(self, place, shell):
        """Also waits for later work of the server, which is not measured."""
        seconds = self.bench.run([*shell, "pg_restore --clean --if-exists --no-owner -d into /tmp/dump"], place)
        self.bench.run([*shell, "psql -d into -c 'VACUUM ANALYZE' -c CHECKPOINT"], place)
        return seconds


class Data(Row):
    """Snapshot and restore of a database, compared with a copy and with a dump."""

    def __init__(self, bench, megabytes):
        super().__init__(bench)
        self.size = f"{megabytes} MB" if megabytes < 1000 else f"{megabytes / 1000:g} GB"
        self.place = bench.project(f"data-{megabytes}", [POSTGRES])
        bench.up(self.place, "--cold")
        server = Postgres(bench.url(self.place))
        tables = max(1, megabytes // 1000)
        for number in range(tables):
            server.query(TABLE.format(name=f"big{number}", rows=megabytes * 1000 // tables))
        server.close()
        volumes = bench.engine.call("GET", "/volumes")["Volumes"]
        of_it = [one["Name"] for one in volumes if (one["Labels"] or {}).get("dev.devenv.root") == str(self.place)]
        [self.volume] = [name for name in of_it if not name.startswith("devenv-base-")]
        self.number = 0
        # Another checkout of the same project.
        self.other = bench.folder / f"data-{megabytes}-other"
        shutil.copytree(self.place, self.other)
        self.turns = {"save": self.save, "restore": self.restore, "point": self.point, "branch": self.branch,
                      "copy": self.copy, "dump": self.dump, "busy": self.busy}
        self.line(f"snapshot of {self.size} that rest, until it answers again", "save", "copy", "`cp -a`",
                  "1.2 s" if megabytes > 1000 else "")
        self.line("the same right after as much was written", "busy", "copy", "`cp -a`", "")
        self.line(f"restore of {self.size}, to the first login and `SELECT 1`", "restore", "copy", "`cp -a`",
                  "0.7 s, 0.1" if megabytes > 1000 else "")
        self.line("the same", "restore", "dump", "`pg_dump \\| pg_restore`", "")
        self.line("the same, and then a point SELECT on the largest table", "point", None, "", "")
        self.line(f"branch of {self.size}: another checkout's first `up`, with its data", "branch", "copy", "`cp -a`",
                  "0.7 s, 0.1" if megabytes > 1000 else "")

    def snapshot(self, *arguments):
        return self.bench.run([self.bench.devenv, "snapshot", *arguments], self.place)

    def save(self):
        """Saves the table alone, after a checkpoint; the restore and the checkpoint are not measured."""
        if self.number:
            self.snapshot("restore", f"s{self.number}", "--yes")
            self.snapshot("rm", f"busy{self.number}", "--yes")
        self.bench.run([self.bench.devenv, "shell", "db", "--admin", "--", "psql", "-c", "CHECKPOINT"], self.place)
        self.number += 1
        return self.snapshot("save", f"s{self.number}")

    def busy(self):
        return self.snapshot("save", f"busy{self.number}")

    def restore(self):
        self.restored = self.snapshot("restore", f"s{self.number}", "--yes")
        return self.restored

    def point(self):
        began = time.perf_counter()
        server = Postgres(self.bench.url(self.place))
        server.query("SELECT length(filler) FROM big0 WHERE id = 4242")
        server.close()
        return self.restored + time.perf_counter() - began

    def branch(self):
        (self.other / ".env").unlink(missing_ok=True)
        seconds = self.bench.up(self.other, "--from", f"s{self.number}")
        self.bench.gone(self.other)
        return seconds

    def copy(self):
        volume = f"{self.bench.name}-copy"
        binds = [f"{self.volume}:/from:ro", f"{volume}:/to"]
        seconds = self.bench.engine.seconds_inside("postgres:17", ["cp", "-a", "/from/.", "/to"], binds)
        self.bench.engine.call("DELETE", f"/volumes/{volume}")
        return seconds

    def dump(self):
        shell = [self.bench.devenv, "shell", "db", "--admin", "--"]
        self.bench.run([*shell, "sh", "-c", "dropdb --if-exists again && createdb again"], self.place)
        return self.bench.run([*shell, "bash", "-o", "pipefail", "-c", "pg_dump -Fc -Z0 shop | pg_restore -d again"],
                              self.place)


class Down(Row):
    """Stopping the services while keeping the data."""

    def __init__(self, bench):
        super().__init__(bench)
        place = bench.project("down", [POSTGRES, REDIS])
        self.turns = {"devenv": self.of(place, bench.up, [bench.devenv, "down"]),
                      "compose": self.of(place, bench.compose_up, [bench.compose, "down"])}
        self.line("`down`, Postgres and Redis", "devenv", "compose", "Compose", "1")

    def of(self, place, up, down):
        def turn():
            up(place)
            return self.bench.run(down, place)

        return turn


class Many(Row):
    """Ten at once: environments, lanes, Compose projects, bare starts."""

    def __init__(self, bench, count=10):
        super().__init__(bench)
        self.count = count
        self.places = [bench.project(f"many{number}", [POSTGRES, REDIS]) for number in range(count)]
        self.pairs = []
        # Make the base first: otherwise each of the ten would initialise.
        bench.fresh(self.places[0])
        for number in range(count):
            self.pairs.append(Pair(bench.engine, f"{bench.name}-many{number}"))
        self.turns = {"environments": self.environments, "lanes": self.lanes, "compose": self.compose,
                      "bare": self.bare}
        self.line(f"{count} environments at once", "environments", "compose", f"{count} of Compose", "")
        self.line("the same", "environments", "bare", f"{count} bare starts side by side", "")
        self.line(f"{count} lanes, all ready", "lanes", "bare", f"{count} bare starts side by side", "1.1")
        self.notes.append(self.disk())

    def at_once(self, calls):
        began = time.perf_counter()
        side_by_side(calls)
        return time.perf_counter() - began

    def environments(self):
        seconds = self.at_once([lambda place=place: self.bench.up(place) for place in self.places])
        side_by_side([lambda place=place: self.bench.gone(place) for place in self.places])
        return seconds

    def compose(self):
        seconds = self.at_once([lambda place=place: self.bench.compose_up(place) for place in self.places])
        side_by_side([lambda place=place: self.bench.compose_gone(place) for place in self.places])
        return seconds

    def bare(self):
        seconds = self.at_once([pair.up for pair in self.pairs])
        side_by_side([pair.clear for pair in self.pairs])
        return seconds

    def lanes(self):
        """Until the command of the last lane has begun."""
        began = time.time()
        self.bench.run([self.bench.devenv, "run", "--lanes", str(self.count), "--", "sh", "-c",
                        "date +%s.%N >ready.$DEVENV_LANE"], self.places[0])
        return max(float(path.read_text()) for path in self.places[0].glob("ready.*")) - began

    def disk(self):
        """The disk space of one lane's Postgres, after its login and after reading every table."""
        place, go = self.places[0], self.places[0] / "go"
        command = [self.bench.devenv, "run", "--lanes", "2", "--", "sh", "-c",
                   'echo "$DATABASE_URL" >url.$DEVENV_LANE; while [ ! -e go ]; do sleep 0.05; done']
        with subprocess.Popen(command, cwd=place, env=self.bench.environment, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL) as lanes:
            try:
                while len([path for path in place.glob("url.*") if path.stat().st_size]) < 2:
                    if lanes.poll() is not None:
                        raise RuntimeError("the lanes ended before their commands began")
                    time.sleep(0.05)
                after_login = self.tops()
                for path in place.glob("url.*"):
                    server = Postgres(path.read_text().strip())
                    server.query("DO $$ DECLARE t regclass; BEGIN FOR t IN SELECT oid FROM pg_class WHERE relkind = 'r' "
                                 "LOOP BEGIN EXECUTE 'SELECT count(*) FROM ' || t; EXCEPTION WHEN insufficient_privilege "
                                 "THEN NULL; END; END LOOP; END $$")
                    server.query("SELECT 1")
                    server.close()
                after_reading = self.tops()
            finally:
                # Otherwise the lanes and the bench would wait forever.
                go.touch()
        go.unlink()
        return (f"Disk of a lane's Postgres beside the base it shares: {after_login / 1e6:.1f} MB after the login, "
                f"{after_reading / 1e6:.1f} MB after reading every table.")

    def tops(self):
        """The median size of the lanes' upper layers."""
        labels = {one["Name"]: one["Labels"] or {} for one in self.bench.engine.call("GET", "/volumes")["Volumes"]}
        root = str(self.places[0])
        sizes = self.bench.engine.volume_sizes()
        ours = [name for name, known in labels.items() if known.get("dev.devenv.root") == root]
        return statistics.median(sizes[name] for name in ours if name.endswith(".top"))

    def end(self):
        for pair in self.pairs:
            pair.end()


class Services(Row):
    """The growth with the number of services, half of them Postgres and half Redis."""

    def __init__(self, bench, counts=(1, 5, 20)):
        super().__init__(bench)
        for count in counts:
            place = bench.project(f"services{count}", [(POSTGRES, REDIS)[number % 2] for number in range(count)])
            bench.fresh(place)
            self.turns[f"devenv{count}"] = lambda place=place: bench.fresh(place)
            self.turns[f"compose{count}"] = lambda place=place: bench.compose_fresh(place)
            name = "1 service" if count == 1 else f"{count} services"
            self.line(f"{name}, fresh, from bases", f"devenv{count}", f"compose{count}", "Compose", "")


class Own(Row):
    """The devenv process: memory, instructions, size, the shortest run."""

    def __init__(self, bench):
        super().__init__(bench)
        place = bench.project("own", [POSTGRES, REDIS, QUEUE])
        bench.fresh(place)
        memory = [peak_memory(bench, place)]
        bench.gone(place)
        bench.up(place)
        memory.append(peak_memory(bench, place))
        instructions, how = count_instructions(bench, place)
        size = os.stat(bench.devenv).st_size / 1e6
        self.turns = {"version": lambda: bench.run([bench.devenv, "--version"], place)}
        self.line("`devenv --version`", "version", None, "", "3 ms")
        self.notes += [
            f"Peak memory of `up`: {memory[0] / 1e6:.1f} MB fresh, {memory[1] / 1e6:.1f} MB with nothing to do "
            f"(three services). Instructions of an `up` with nothing to do: {instructions / 1e6:.0f} million, by {how}. "
            f"Binary: {size:.1f} MB."
        ]


def peak_memory(bench, place):
    """Bytes, measured by GNU time: memory before an exec counts as the process's memory, and here that would include
    Python."""
    report = bench.folder / "memory"
    bench.run(["/usr/bin/time", "--format=%M", "--output", report, bench.devenv, "up"], place)
    return int(report.read_text()) * 1024


def count_instructions(bench, place):
    """Instructions in user space: from the processor's counters, or from valgrind if the machine has no counters."""
    command = [bench.devenv, "up"]
    if shutil.which("perf"):
        report = bench.folder / "instructions"
        outcome = subprocess.run(["perf", "stat", "-e", "instructions:u", "-x,", "-o", report, *command], cwd=place,
                                 env=bench.environment, capture_output=True, check=False)
        found = re.search(r"^(\d+),", report.read_text(), re.MULTILINE) if outcome.returncode == 0 else None
        if found:
            return int(found.group(1)), "perf"
    if not shutil.which("valgrind"):
        sys.exit("error: this machine has no counters for perf, and valgrind is missing (Debian's package valgrind)")
    log = pathlib.Path(bench.folder / "callgrind")
    bench.run(["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", f"--log-file={log}", *command], place)
    return int(re.search(r"Collected : (\d+)", log.read_text()).group(1)), "valgrind"


ROWS = {
    "same": Same,
    "fresh": Fresh,
    "queue": Queue,
    "seeded": Seeded,
    "data-100": lambda bench: Data(bench, 100),
    "data-2000": lambda bench: Data(bench, 2000),
    "down": Down,
    "many": Many,
    "services": Services,
    "own": Own,
}
# Small enough for a quick check during development.
QUICK = {
    **ROWS,
    "seeded": lambda bench: Seeded(bench, 20),
    "data-2000": lambda bench: Data(bench, 200),
    "many": lambda bench: Many(bench, 2),
    "services": lambda bench: Services(bench, (1, 2)),
}
