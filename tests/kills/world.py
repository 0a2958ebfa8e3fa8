"""Checkouts with data whose expected content is known, and the program that works on them."""

import json
import os
import pathlib
import socket
import subprocess
import urllib.parse

SHOP = """name: shop
services:
  db: { kind: postgres, version: "15.18" }
  cache: { kind: redis, version: "7.0.15" }
variables:
  DATABASE_URL: ${db.url}
  REDIS_URL: ${cache.url}
"""
SEEDED = """name: seeded
services:
  db: { kind: postgres, version: "15.18" }
  cache: { kind: redis, version: "7.0.15" }
variables:
  DATABASE_URL: ${db.url}
  REDIS_URL: ${cache.url}
"""
SEED = "CREATE TABLE seed (number int);\n" + "".join(f"INSERT INTO seed VALUES ({n});\n" for n in range(20))
WITHIN = 300


class Broken(Exception):
    """A broken promise of the program."""


class World:
    """One folder with the checkouts, the machine's folders and the proxy's socket."""

    def __init__(self, folder, program, way):
        self.folder, self.program = pathlib.Path(folder).resolve(), str(program)
        self.environment = {"HOME": str(self.folder / "home"), "PATH": os.environ["PATH"], "DEVENV_LAYERS": way}
        for name in ("DOCKER_HOST", "DOCKER_CONTEXT"):
            if name in os.environ:
                self.environment[name] = os.environ[name]
        self.shop = self.checkout("shop", SHOP, "branch: git\n")
        self.copy = self.checkout("copy", SHOP, "")
        self.seeded = self.checkout("seeded", SEEDED, "seeds: {db: [seed.sql, {command: ['true']}]}\n")
        (self.seeded / "seed.sql").write_text(SEED)

    def checkout(self, name, stack, local):
        root = self.folder / name
        root.mkdir(parents=True)
        (root / "services.yaml").write_text(stack)
        (root / "services.local.yaml").write_text(local)
        (root / ".gitignore").write_text(".env*\nservices.local.yaml\nservices.lock\n")
        git = ["git", "-c", "user.name=Ann", "-c", "user.email=ann@example.com", "-c", "init.defaultBranch=main"]
        for arguments in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "--message", "A project"]):
            subprocess.run([*git, *arguments], cwd=root, check=True, capture_output=True)
        return root

    def git(self, *arguments):
        subprocess.run(["git", *arguments], cwd=self.shop, check=True, capture_output=True)

    def start(self, root, arguments, host=None):
        """Starts the program without waiting for its end. Options go after the command's name, before `--`."""
        arguments = [arguments[0], *(["--host", host] if host else []), *arguments[1:]]
        return subprocess.Popen([self.program, *arguments], cwd=root, env=self.environment, stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)

    def run(self, root, *arguments):
        """Runs the program to its end, which must be a success; returns its output."""
        code, said, errors = self.outcome(root, *arguments)
        if code:
            raise Broken(f"devenv {' '.join(arguments)} ends with {code}:\n{said}{errors}")
        return said

    def outcome(self, root, *arguments):
        process = self.start(root, arguments)
        try:
            said, errors = process.communicate(timeout=WITHIN)
        except subprocess.TimeoutExpired:
            process.kill()
            raise Broken(f"devenv {' '.join(arguments)} has not ended within {WITHIN} s") from None
        return process.returncode, said, errors

    # The data of the servers.

    def values(self, root):
        """The variables of the checkout's `.env`."""
        lines = [line.partition("=") for line in (root / ".env").read_text().splitlines() if "=" in line]
        return {name: value.strip("'\"") for name, _, value in lines if not name.startswith("#")}

    def redis(self, root, *words):
        url = urllib.parse.urlsplit(self.values(root)["REDIS_URL"])
        password = urllib.parse.unquote(url.password or "")
        with socket.create_connection((url.hostname, url.port), timeout=30) as link, link.makefile("rb") as answers:
            def ask(*words):
                link.sendall(b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in map(str.encode, words)))
                line = answers.readline().strip()
                if line[:1] == b"-":
                    raise Broken(f"redis says {line.decode()}")
                if line[:1] == b"$":
                    size = int(line[1:])
                    return None if size < 0 else answers.read(size + 2)[:-2].decode()
                return line[1:].decode()
            if password:
                ask("AUTH", password)
            return ask(*words)

    def sql(self, root, text):
        return self.run(root, "--quiet", "shell", "db", "--", "psql", "-qtAX", "-c", text).strip()

    def write(self, root, word):
        """Writes the same word to both servers."""
        self.sql(root, "CREATE TABLE IF NOT EXISTS mark (word text); TRUNCATE mark; "
                       f"INSERT INTO mark VALUES ('{word}')")
        self.redis(root, "SET", "word", word)

    def read(self, root):
        """The word of each server; `None` if it has none."""
        has_table = self.sql(root, "SELECT to_regclass('mark') IS NOT NULL") == "t"
        return (self.sql(root, "SELECT word FROM mark") or None) if has_table else None, self.redis(root, "GET", "word")

    def agreed(self, root, *allowed):
        """The word of both servers, which must be the same and one of the allowed words."""
        db, cache = self.read(root)
        if db != cache:
            raise Broken(f"a mixture of two moments: db has {db}, cache has {cache}")
        if db not in allowed:
            raise Broken(f"the data is {db}, and may be {' or '.join(map(str, allowed))}")
        return db

    def snapshots(self):
        """The names of the snapshots of the checkout `shop`."""
        listed = json.loads(self.run(self.shop, "snapshot", "list", "--json"))
        listed = listed if isinstance(listed, list) else listed["snapshots"]
        return {one["name"] for one in listed}

    def on_the_engine(self):
        """Everything on the engine that belongs to a checkout of this folder."""
        found = []
        for kind, listing, name in (("container", ["ps", "-a"], "Names"), ("volume", ["volume", "ls"], "Name"),
                                    ("network", ["network", "ls"], "Name")):
            form = '{{.%s}}\t{{.Label "dev.devenv.root"}}' % name
            told = subprocess.run(["docker", *listing, "--filter", "label=dev.devenv.root", "--format", form],
                                  capture_output=True, text=True, check=True)
            for line in told.stdout.splitlines():
                name, _, root = line.partition("\t")
                if root.startswith(f"{self.folder}/"):
                    found.append((kind, name))
        return sorted(found)

    def remove_everything(self):
        """Removes all resources of this folder's checkouts by force, and nothing else."""
        left = self.on_the_engine()
        for kind, remove in (("container", ["rm", "-f", "-v"]), ("volume", ["volume", "rm"]), ("network", ["network", "rm"])):
            for _, name in (one for one in left if one[0] == kind):
                subprocess.run(["docker", *remove, name], capture_output=True, check=False)
