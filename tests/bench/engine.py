"""The engine's API and the servers' wire protocols, by hand: the minimum work of any tool, without a client's time."""

import base64
import hashlib
import hmac
import http.client
import json
import os
import secrets
import socket
import struct
import sys
import threading
import time
import urllib.parse

PATIENCE = 180


class Engine:
    """The engine over its own socket, so that a bare start does not include the time of a command-line client."""

    def __init__(self):
        host = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
        if not host.startswith("unix://"):
            sys.exit("error: bare starts are timed over a local socket, and DOCKER_HOST is none")
        self.path = host.removeprefix("unix://")

    def call(self, method, path, body=None):
        """Sends one request; returns the JSON of its answer."""
        connection = http.client.HTTPConnection("localhost")
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.connect(self.path)
        connection.request(method, path, json.dumps(body or {}), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        if answer.status >= 400:
            raise RuntimeError(f"{method} {path}: {text.decode()}")
        return json.loads(text) if text else None

    def start(self, image, log_in, port, network="bridge", **options):
        """Creates a container, starts it and logs in; returns its id. `log_in(port)` returns whether it succeeded."""
        published = free_port()
        host = {
            "NetworkMode": network,
            "PortBindings": {f"{port}/tcp": [{"HostIp": "127.0.0.1", "HostPort": str(published)}]},
            "Binds": options.pop("binds", []),
        }
        container = self.call("POST", "/containers/create", {"Image": image, "HostConfig": host, **options})["Id"]
        self.call("POST", f"/containers/{container}/start")
        began = time.perf_counter()
        while not log_in(published):
            if time.perf_counter() - began > PATIENCE:
                raise RuntimeError(f"{image} let nobody in for {PATIENCE} s")
            time.sleep(0.01)
        return container

    def remove(self, container):
        """Kills the container and removes it with its anonymous volumes."""
        self.call("DELETE", f"/containers/{container}?force=1&v=1")

    def seconds_inside(self, image, command, binds):
        """Runs one command in a container; returns its duration, without the start of the container."""
        body = {"Image": image, "User": "0:0", "Entrypoint": command, "Cmd": [], "HostConfig": {"Binds": binds}}
        container = self.call("POST", "/containers/create", body)["Id"]
        try:
            self.call("POST", f"/containers/{container}/start")
            code = self.call("POST", f"/containers/{container}/wait")["StatusCode"]
            state = self.call("GET", f"/containers/{container}/json")["State"]
            if code:
                raise RuntimeError(f"{command} ended with {code}")
            return moment(state["FinishedAt"]) - moment(state["StartedAt"])
        finally:
            self.remove(container)

    def volume_sizes(self):
        """Bytes of every volume that the engine looked at, by name."""
        volumes = self.call("GET", "/system/df")["Volumes"] or []
        return {volume["Name"]: (volume.get("UsageData") or {}).get("Size", 0) for volume in volumes}


class Pair:
    """Postgres on an initialised plain volume and an empty Redis, by bare calls."""

    def __init__(self, engine, name):
        self.engine, self.name = engine, name
        self.containers, self.network = [], None
        self.postgres()
        self.clear()

    def postgres(self):
        environment = [f"POSTGRES_{key}" for key in ("USER=shop", "PASSWORD=local", "DB=shop")]
        self.containers.append(self.engine.start(
            "postgres:17", postgres_login, 5432, self.network or "bridge", Env=environment,
            binds=[f"{self.name}:/var/lib/postgresql/data"]))

    def redis(self):
        self.containers.append(self.engine.start(
            "redis:8.0", redis_login, 6379, self.network or "bridge",
            Cmd=["redis-server", "--requirepass", "local"]))

    def up(self):
        """Starts a network and two containers in parallel, logs in to each, and returns the seconds."""
        began = time.perf_counter()
        self.network = self.engine.call("POST", "/networks/create", {"Name": self.name})["Id"]
        side_by_side([self.postgres, self.redis])
        return time.perf_counter() - began

    def clear(self):
        """Removes everything except the volume."""
        for container in self.containers:
            self.engine.call("POST", f"/containers/{container}/stop?t=10")
            self.engine.remove(container)
        self.containers = []
        if self.network:
            self.engine.call("DELETE", f"/networks/{self.network}")
            self.network = None

    def end(self):
        """Removes everything."""
        self.clear()
        self.engine.call("DELETE", f"/volumes/{self.name}?force=1")


def side_by_side(calls):
    """Runs all functions in parallel; raises the first error."""
    faults = []

    def guarded(call):
        try:
            call()
        except Exception as fault:  # whatever it is, the main thread has to know
            faults.append(fault)

    threads = [threading.Thread(target=guarded, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if faults:
        raise faults[0]


def moment(text):
    """Seconds since 1970 of the engine's own time stamps, which have nanoseconds."""
    whole, _, part = text.rstrip("Z").partition(".")
    return time.mktime(time.strptime(whole, "%Y-%m-%dT%H:%M:%S")) + float(f"0.{part or 0}")


def free_port():
    """A port that was free a moment ago."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


# --- logins ----------------------------------------------------------------------------------------


class Postgres:
    """A connection, logged in by SCRAM-SHA-256."""

    def __init__(self, url):
        parts = urllib.parse.urlsplit(url)
        self.socket = socket.create_connection((parts.hostname, parts.port), 60)
        self.stream = self.socket.makefile("rwb")
        words = f"user\0{parts.username}\0database\0{parts.path.strip('/')}\0\0".encode()
        self.stream.write(struct.pack(">II", len(words) + 8, 196608) + words)
        self.log_in(urllib.parse.unquote(parts.password or ""))

    def log_in(self, password):
        nonce, first = secrets.token_hex(12), ""
        while True:
            self.stream.flush()
            kind, body = self.message()
            if kind == b"Z":
                return
            method = struct.unpack(">I", body[:4])[0] if kind == b"R" else 0
            if method == 10:
                first = f"n=,r={nonce}"
                text = b"n,," + first.encode()
                self.send(b"p", b"SCRAM-SHA-256\0" + struct.pack(">I", len(text)) + text)
            elif method == 11:
                said = body[4:].decode()
                given = dict(part.split("=", 1) for part in said.split(","))
                salted = hashlib.pbkdf2_hmac("sha256", password.encode(), base64.b64decode(given["s"]), int(given["i"]))
                key = hmac.digest(salted, b"Client Key", "sha256")
                last = f"c=biws,r={given['r']}"
                whole = f"{first},{said},{last}".encode()
                signature = hmac.digest(hashlib.sha256(key).digest(), whole, "sha256")
                proof = bytes(one ^ other for one, other in zip(key, signature))
                self.send(b"p", f"{last},p={base64.b64encode(proof).decode()}".encode())

    def query(self, sql):
        """The first column of the last row."""
        self.send(b"Q", sql.encode() + b"\0")
        self.stream.flush()
        value = None
        while True:
            kind, body = self.message()
            if kind == b"Z":
                return value
            if kind == b"D":
                length = struct.unpack(">i", body[2:6])[0]
                value = body[6 : 6 + length].decode()

    def send(self, kind, body):
        self.stream.write(kind + struct.pack(">I", len(body) + 4) + body)

    def message(self):
        head = self.stream.read(5)
        if len(head) < 5:
            raise ConnectionError("Postgres closed the connection")
        body = self.stream.read(struct.unpack(">I", head[1:])[0] - 4)
        if head[:1] == b"E":
            raise ConnectionError(body.decode(errors="replace"))
        return head[:1], body

    def close(self):
        self.stream.close()
        self.socket.close()


def postgres_login(port):
    """Whether a login and `SELECT 1` succeed."""
    try:
        server = Postgres(f"postgresql://shop:local@127.0.0.1:{port}/shop")
        answer = server.query("SELECT 1")
        server.close()
        return answer == "1"
    except (OSError, struct.error):
        return False


def redis_login(port):
    """Whether AUTH and PING succeed."""
    try:
        with socket.create_connection(("127.0.0.1", port), 2) as server:
            server.sendall(b"AUTH local\r\nPING\r\n")
            answer = b""
            while answer.count(b"\r\n") < 2:
                piece = server.recv(64)
                if not piece:
                    return False
                answer += piece
            return answer == b"+OK\r\n+PONG\r\n"
    except OSError:
        return False


def amqp_login(port, user="shop", password="local", vhost="shop"):
    """Whether AMQP 0-9-1 opens the vhost."""

    def frame():
        head = server.read(7)
        if len(head) < 7:
            raise ConnectionError
        return server.read(struct.unpack(">I", head[3:])[0] + 1)[:-1]

    def send(method, payload):
        body = struct.pack(">HH", 10, method) + payload
        server.write(struct.pack(">BHI", 1, 0, len(body)) + body + b"\xce")
        server.flush()

    def short(text):
        return bytes([len(text)]) + text.encode()

    try:
        with socket.create_connection(("127.0.0.1", port), 2) as connection:
            server = connection.makefile("rwb")
            server.write(b"AMQP\x00\x00\x09\x01")
            server.flush()
            frame()
            login = f"\0{user}\0{password}".encode()
            send(11, struct.pack(">I", 0) + short("PLAIN") + struct.pack(">I", len(login)) + login + short("en_US"))
            tune = frame()
            if tune[:4] != struct.pack(">HH", 10, 30):
                return False
            send(31, tune[4:12])
            send(40, short(vhost) + short("") + b"\0")
            return frame()[:4] == struct.pack(">HH", 10, 41)
    except (OSError, struct.error):
        return False
