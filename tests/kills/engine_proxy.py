"""A proxy between the program and the real engine that holds a run at one of its requests, so that the run can be
killed there: before the engine receives the request, or after the engine has carried it out."""

import os
import pathlib
import socket
import threading

METHODS = (b"GET /", b"HEAD /", b"POST /", b"PUT /", b"DELETE /")
CHUNK = 65536


def engine_socket():
    """The engine's own socket: DOCKER_HOST, otherwise the default socket."""
    return os.environ.get("DOCKER_HOST", "").removeprefix("unix://") or "/var/run/docker.sock"


class EngineProxy:
    """A socket that leads to the engine. `hold_at` is the number of the request to stop at, from 1; None lets all
    requests pass and counts them."""

    def __init__(self, folder, hold_at=None, after=False):
        self.path = pathlib.Path(folder) / "proxy.sock"
        self.path.unlink(missing_ok=True)
        self.hold_at, self.after = hold_at, after
        self.requests = 0
        self.stopped, self.ended = threading.Event(), threading.Event()
        self.lock, self.streams = threading.Lock(), []
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(self.path))
        self.listener.listen(64)
        threading.Thread(target=self.accept, daemon=True).start()

    @property
    def host(self):
        return f"unix://{self.path}"

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            engine = socket.socket(socket.AF_UNIX)
            engine.connect(engine_socket())
            with self.lock:
                self.streams += [client, engine]
            holds_answer = threading.Event()
            threading.Thread(target=self.forward, args=(client, engine, holds_answer), daemon=True).start()
            threading.Thread(target=self.back, args=(engine, client, holds_answer), daemon=True).start()

    def is_the_one(self, data):
        """A client writes each request at once, from its first line on."""
        if not data.startswith(METHODS):
            return False
        with self.lock:
            self.requests += 1
            return self.requests == self.hold_at

    def hold(self):
        self.stopped.set()
        self.ended.wait()

    def forward(self, client, engine, holds_answer):
        try:
            while data := client.recv(CHUNK):
                if self.is_the_one(data):
                    if self.after:
                        holds_answer.set()
                    else:
                        self.hold()
                        return
                engine.sendall(data)
            engine.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def back(self, engine, client, holds_answer):
        try:
            while data := engine.recv(CHUNK):
                if holds_answer.is_set():
                    self.hold()
                    break
                client.sendall(data)
        except OSError:
            pass
        for stream in (engine, client):
            try:
                stream.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def end(self):
        """Ends all connections, as the system does for a killed program."""
        self.ended.set()
        self.listener.close()
        with self.lock:
            for stream in self.streams:
                try:
                    stream.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
                stream.close()
        self.path.unlink(missing_ok=True)
