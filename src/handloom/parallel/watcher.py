"""The watching process of a training on several ranks; `handloom.parallel.watch` starts it.

Run as ``python -I -S watcher.py DESCRIPTOR``, that of a listening socket. It needs the standard
library only, so that it starts in milliseconds. Standard input is a socket too, by which rank 0
sends a token, and then lines of a word and its text::

    listening ends                  all ranks that can connect have done so
    report TEXT                     the message about a rank that dies from now on

Each rank, also rank 0, connects to the listening socket, and sends::

    hello TOKEN RANK HOST PROCESS   answered by "welcome"
    bye                             the training has ended on this rank

The first connection that closes without "bye" is that of a dead rank: the system closes it however
the process ends. One line on standard error says so, and the other ranks are sent "end".

Which rank was first: a launcher kills the other ranks only after it has seen the first one end, and
the system closes the connections of a process before its parent hears of its end. Connections that
closed before this process came to look are handled in the order in which they closed, which is the
order that Linux's epoll keeps; so nothing else is sent by them during the training.
"""

import contextlib
import os
import selectors
import signal
import socket
import sys
import time

TO_CONNECT = 60.0
"""Seconds in which rank 0 says that all ranks are connected."""

TO_END = 10.0
"""Seconds in which ranks end that were told to."""

TOKEN_SIZE = 64

LONGEST = 1 << 16
"""Bytes that a line may have; a stranger's is cut off before."""

WELCOME, END = b"welcome\n", b"end\n"

NO_CHECKPOINT = "no checkpoint was written yet"


def keep_alive(connection: socket.socket) -> None:
    """Let a connection break within about 11 seconds if the other host is lost.

    The systems ask each other, not the processes: a process that is busy, stopped, or holds the
    GIL for minutes stays connected, while a host without power or network does not answer.
    """
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for name, value in (
        ("TCP_KEEPIDLE", 5),  # seconds until the first probe
        ("TCP_KEEPALIVE", 5),  # its name on macOS
        ("TCP_KEEPINTVL", 2),  # seconds between probes
        ("TCP_KEEPCNT", 3),  # unanswered probes
        ("TCP_USER_TIMEOUT", 11_000),  # milliseconds; no probes are sent while data is on its way
    ):
        if hasattr(socket, name):
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def unreachable(error: OSError) -> bool:
    """Return whether a connection broke because the other host does not answer."""
    return not isinstance(error, ConnectionError)  # but TimeoutError, or no route to the host


class Peer:
    """A connection: a stranger until its first line has the token, then a rank."""

    def __init__(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        self.connection = connection
        self.name = ""
        self._unread = b""

    def lines(self) -> list[str]:
        """Return the lines that have come.

        Raises
        ------
        OSError
            If the connection has closed, or is broken.
        """
        try:
            data = self.connection.recv(LONGEST)
        except BlockingIOError:
            return []
        if not data:
            raise ConnectionError
        *lines, self._unread = (self._unread + data).split(b"\n")
        if len(self._unread) > LONGEST:
            raise ConnectionError
        return [line.decode("utf-8", "replace") for line in lines]

    def send(self, line: bytes) -> None:
        """Send a line; the peer may be gone."""
        with contextlib.suppress(OSError):
            self.connection.send(line)


class Watcher:
    """Waits for the first rank that dies, or for the goodbyes of all."""

    def __init__(self, listener: socket.socket, rank_0: socket.socket, token: str) -> None:
        self._listener, self._rank_0, self._token = listener, Peer(rank_0), token
        self._selector = selectors.DefaultSelector()
        self._selector.register(listener, selectors.EVENT_READ)
        self._selector.register(rank_0, selectors.EVENT_READ)
        self._peers: dict[int, Peer] = {}
        self._listens_until = time.monotonic() + TO_CONNECT
        self._report = NO_CHECKPOINT
        self._lost = ""

    def run(self) -> None:
        """Watch until no rank is left, or one is lost."""
        while self._listens() or self._peers:
            for key, _ in self._selector.select(self._seconds()):
                self._handle(key)
            if self._lost:
                self._end_ranks()
                return

    def _handle(self, key: selectors.SelectorKey) -> None:
        """Handle an event of a socket: a connection, a message or its end."""
        if key.fileobj is self._listener:
            self._accept()
        elif key.fileobj is self._rank_0.connection:
            self._hear_rank_0()
        elif key.fd in self._peers:
            self._hear(self._peers[key.fd])

    def _listens(self) -> bool:
        if self._listener.fileno() >= 0 and time.monotonic() >= self._listens_until:
            self._stop_listening()
        return self._listener.fileno() >= 0

    def _stop_listening(self) -> None:
        """Close the listening socket: no stranger connects during the training."""
        if self._listener.fileno() >= 0:
            self._selector.unregister(self._listener)
            self._listener.close()
            for peer in list(self._peers.values()):
                if not peer.name:
                    self._forget(peer)

    def _seconds(self) -> float | None:
        """Return how long nothing needs to be done, if nothing comes."""
        return max(self._listens_until - time.monotonic(), 0.0) if self._listens() else None

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # of one that is gone already
            peer = Peer(self._listener.accept()[0])
            keep_alive(peer.connection)
            self._peers[peer.connection.fileno()] = peer
            self._selector.register(peer.connection, selectors.EVENT_READ)

    def _forget(self, peer: Peer) -> None:
        self._selector.unregister(peer.connection)
        del self._peers[peer.connection.fileno()]
        peer.connection.close()

    def _hear_rank_0(self) -> None:
        """Read reports: those that came before a death are read in the same turn as it."""
        try:
            for line in self._rank_0.lines():
                word, _, text = line.partition(" ")
                if word == "report":
                    self._report = text
                elif word == "listening":
                    self._stop_listening()
        except OSError:  # rank 0 has ended
            self._selector.unregister(self._rank_0.connection)

    def _hear(self, peer: Peer) -> None:
        try:
            for line in peer.lines():
                word, _, text = line.partition(" ")
                if not peer.name:
                    self._greet(peer, word, text)
                elif word == "bye":
                    self._forget(peer)
                    return
            # else epoll keeps it ahead of connections that close before it is asked again
            self._selector.unregister(peer.connection)
            self._selector.register(peer.connection, selectors.EVENT_READ)
        except OSError as error:
            if peer.name and not self._lost:
                self._lost = f"{peer.name} {'does not answer' if unreachable(error) else 'died'}"
            self._forget(peer)

    def _greet(self, peer: Peer, word: str, text: str) -> None:
        """Let a rank in.

        Raises
        ------
        ConnectionError
            If a stranger has no token.
        """
        token, _, text = text.partition(" ")
        rank, host, process = (*text.split(" "), "", "")[:3]
        if word != "hello" or token != self._token:
            raise ConnectionError
        peer.name = f"rank {rank} (host {host}, process {process})"
        peer.send(WELCOME)

    def _end_ranks(self) -> None:
        """Say which rank is lost; tell the others to end, and stay until they have read it."""
        with contextlib.suppress(OSError):  # a single write, whose text no other line divides
            os.write(2, f"{self._lost}; {self._report}\n".encode())
        self._stop_listening()
        for peer in self._peers.values():
            peer.send(END)
        until = time.monotonic() + TO_END
        while self._peers and (seconds := until - time.monotonic()) > 0:
            for key, _ in self._selector.select(seconds):
                self._handle(key)


def main() -> None:
    """Watch those who connect to the listening socket."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"):  # it ends when the ranks have ended
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    rank_0 = socket.socket(fileno=sys.stdin.fileno())
    token = rank_0.recv(TOKEN_SIZE).decode()
    listener = socket.socket(fileno=int(sys.argv[1]))
    listener.setblocking(False)
    Watcher(listener, rank_0, token).run()


if __name__ == "__main__":
    main()
