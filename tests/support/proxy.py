"""A TCP proxy of the test's own: cuts connections, or lets them hang, between client and broker."""

from __future__ import annotations

import selectors
import socket
import threading
from collections.abc import Callable
from contextlib import suppress

Passed = Callable[[socket.socket, bool, bytes], None]


class Proxy:
    """Listens on a free loopback port and passes bytes on to `port`.  Use as a context manager.

    `passed(source, from_client, data)`: told what is passed on, on the proxy's thread.
    """

    def __init__(self, port: int, *, passed: Passed = lambda *_: None) -> None:
        self._passed = passed
        self._target = ("127.0.0.1", port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._pairs: dict[socket.socket, socket.socket] = {}
        self._clients: set[socket.socket] = set()
        self._accepting = True
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._wake, self._woken = socket.socketpair()
        self._selector.register(self._woken, selectors.EVENT_READ)
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        self._open = True

    def __enter__(self) -> Proxy:
        return self

    def __exit__(self, *_: object) -> None:
        self._open = False
        self._wake.send(b"x")
        self._thread.join(5)
        self.cut()
        for each in (self._listener, self._wake, self._woken):
            each.close()
        self._selector.close()

    @property
    def connections(self) -> int:
        with self._lock:
            return len(self._pairs) // 2

    def cut(self, *, refuse: bool = False) -> int:
        """Close every connection; how many there were.  `refuse`: and take no new ones."""
        with self._lock:
            self._accepting = not refuse
            pairs, self._pairs = self._pairs, {}
        for each in pairs:
            with suppress(KeyError, ValueError):
                self._selector.unregister(each)
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        return len(pairs) // 2

    def accept_again(self) -> None:
        with self._lock:
            self._accepting = True

    def _serve(self) -> None:
        while True:
            for key, _ in self._selector.select():
                if key.fileobj is self._woken:
                    return
                if key.fileobj is self._listener:
                    self._accept()
                elif isinstance(key.fileobj, socket.socket):
                    self._pass_on(key.fileobj)

    def _accept(self) -> None:
        client, _ = self._listener.accept()
        try:
            if not self._accepting:
                raise ConnectionRefusedError
            broker = socket.create_connection(self._target, 2)
        except OSError:
            client.close()
            return
        with self._lock:
            self._pairs[client], self._pairs[broker] = broker, client
            self._clients = {each for each in self._clients if each in self._pairs} | {client}
        for each in (client, broker):
            each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._selector.register(each, selectors.EVENT_READ)

    def _pass_on(self, source: socket.socket) -> None:
        with self._lock:
            target = self._pairs.get(source)
        if target is None:
            return
        try:
            data = source.recv(65536)
            if data:
                target.sendall(data)
                self._passed(source, source in self._clients, data)
                return
        except OSError:
            pass
        with self._lock:
            self._pairs.pop(source, None)
            self._pairs.pop(target, None)
        for each in (source, target):
            with suppress(KeyError, ValueError):
                self._selector.unregister(each)
            each.close()
