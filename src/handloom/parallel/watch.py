"""The watch over the ranks of a training: one that dies is named, and the others end.

A launcher may kill all other ranks within milliseconds after one has died, so none of them can say
which one it was; or it may kill none, and they would wait in a collective operation without end.
Rank 0 therefore starts a process in a session of its own, `handloom.parallel.watcher`, to which
each rank holds a connection until it says goodbye.
"""

import atexit
import os
import secrets
import socket
import subprocess
import sys
import weakref
from contextlib import suppress
from threading import Thread
from typing import NamedTuple

from handloom import secondary
from handloom.parallel import watcher
from handloom.parallel.ranks import Ranks
from handloom.text import printable

LOOPBACK = "127.0.0.1"

TO_CONNECT, TO_ANSWER = 3.0, 10.0
"""Seconds for a connection to one address, and for the answer to the first line."""

AT_ONCE = socket.MSG_DONTWAIT | getattr(socket, "MSG_NOSIGNAL", 0)
"""Flags of a message that neither blocks nor raises SIGPIPE."""

LONGEST = 2000
"""Characters of a text that is sent."""


class Endpoint(NamedTuple):
    """Where the watching process listens."""

    addresses: list[str]
    port: int
    token: str


class Watch:
    """The watch over one rank, until `end`.

    If a rank dies, a line on standard error names it, with the last `report` of rank 0, and all
    other ranks end with exit code 1 within a second, also while they wait for a message. So does a
    rank whose program ends before `end`.

    A rank that is busy or stopped is not taken for dead. One that cannot connect is not watched,
    and a warning on rank 0 says so. If the watching process itself is lost, the training goes on.

    Attributes
    ----------
    unwatched : list of int
        The ranks that could not connect; the same on every rank.
    """

    def __init__(self, rank: int, hosts: list[str]) -> None:
        self.unwatched = list(range(len(hosts)))
        self._rank, self._hosts = rank, hosts
        self._connection: socket.socket | None = None
        self._control: socket.socket | None = None  # of rank 0
        self._process: subprocess.Popen[bytes] | None = None
        self._thread: Thread | None = None
        self._ended = False
        self._text = "continue from its last checkpoint, if one was written"

    @classmethod
    def begin(cls, ranks: Ranks) -> "Watch":
        """Start to watch; called by all ranks together, as it gathers three times.

        Parameters
        ----------
        ranks : Ranks
        """
        watch = cls(ranks.rank, ranks.gather(socket.gethostname()))
        endpoint, failure = watch._start() if ranks.rank == 0 else (None, "")
        endpoint = ranks.gather(endpoint)[0]
        if ranks.rank != 0:
            failure = watch._connect(endpoint) if endpoint else "rank 0 has no watching process"
        failures = ranks.gather(failure)
        watch.unwatched = [rank for rank, text in enumerate(failures) if text]
        if ranks.rank == 0:
            _send(watch._control, "listening ends")
            watch._warn(failures)
        return watch

    def report(self, text: str) -> None:
        """Set the message about a rank that dies from now on; it never blocks, and never raises.

        Parameters
        ----------
        text : str
            On rank 0, such as "the last good checkpoint is ...". On other ranks, it is said only if
            the host of rank 0 is lost.
        """
        self._text = printable(text)[:LONGEST]
        _send(self._control, f"report {self._text}")

    def end(self) -> None:
        """Say goodbye: this rank may end now. It never raises, and may be called again."""
        if self._connection is not None and not self._ended:
            self._ended = True
            _send(self._connection, "bye")
            if self._thread is not None:
                self._thread.join(1.0)

    def _leave(self) -> None:
        """Count as dead when Python ends: MPI may then wait for the other ranks in this process."""
        if self._connection is not None and not self._ended:
            self._ended = True
            with suppress(OSError):
                self._connection.shutdown(socket.SHUT_RDWR)

    def _start(self) -> tuple[Endpoint | None, str]:
        """Start the watching process, and connect to it; return where it listens, or why not."""
        others = [host for host in self._hosts if host != self._hosts[0]]
        try:
            with _listener("" if others else LOOPBACK, len(self._hosts)) as listener:
                port, token = listener.getsockname()[1], secrets.token_hex(watcher.TOKEN_SIZE // 2)
                process, control = _watching_process(listener.fileno(), token)
        except OSError as error:
            return None, secondary.reason(error)
        self._process, self._control = process, control
        endpoint = Endpoint([LOOPBACK, *_addresses(others)], port, token)
        if failure := self._connect(endpoint):
            self._process = self._control = None
            process.kill()
            process.wait()
            control.close()
            return None, failure
        return endpoint, ""

    def _connect(self, endpoint: Endpoint) -> str:
        """Connect to the watching process; return why it answers nowhere, or an empty text."""
        near = self._hosts[self._rank] == self._hosts[0]
        failures = []
        for address in endpoint.addresses if near else endpoint.addresses[1:]:
            try:
                connection = self._greet(address, endpoint)
            except OSError as error:
                failures.append(f"{address} port {endpoint.port}: {error}")
                continue
            self._connection = connection
            _WATCHES.add(self)
            self._thread = Thread(target=self._listen, name="handloom-watch", daemon=True)
            self._thread.start()
            atexit.register(self._leave)
            return ""
        return "; ".join(failures) or "rank 0 has no address"

    def _greet(self, address: str, endpoint: Endpoint) -> socket.socket:
        """Connect to an address, and say which rank this is.

        Raises
        ------
        OSError
            If the watching process does not answer there.
        """
        connection = socket.create_connection((address, endpoint.port), TO_CONNECT)
        try:
            connection.settimeout(TO_ANSWER)
            name = f"{self._rank} {printable(self._hosts[self._rank])} {os.getpid()}"
            connection.sendall(f"hello {endpoint.token} {name}\n".encode())
            if connection.recv(len(watcher.WELCOME)) != watcher.WELCOME:
                raise ConnectionError("another program listens there")
            watcher.keep_alive(connection)
            connection.settimeout(None)
        except BaseException:
            with connection:
                _send(connection, "bye")  # the process may only be slow: this is no death
            raise
        return connection

    def _listen(self) -> None:
        """Wait until the connection closes, or this rank is told to end.

        The main thread may hang in a collective operation, so this thread ends the process.
        """
        assert self._connection is not None
        ends = lost = False
        with self._connection as connection:
            try:
                ends = connection.recv(len(watcher.END)) == watcher.END
            except OSError as error:
                lost = watcher.unreachable(error) and self._hosts[self._rank] != self._hosts[0]
            if not self._ended and (ends or lost):
                if lost:
                    self._say_rank_0_is_lost()
                os._exit(1)
        atexit.unregister(self._leave)
        if self._process is not None:
            self._process.wait()
            if self._control is not None:
                self._control.close()
            if not self._ended:
                secondary.say(
                    "the process that watches the ranks has ended: if a rank dies from now on, the "
                    "others may wait for it without end"
                )

    def _say_rank_0_is_lost(self) -> None:
        """Say it once: by the first rank on another host."""
        host = self._hosts[0]
        if self._rank == next(rank for rank, each in enumerate(self._hosts) if each != host):
            secondary.say_at_once(f"rank 0 (host {host}) does not answer; {self._text}")

    def _warn(self, failures: list[str]) -> None:
        """Say which ranks are not watched, and why the first one is not."""
        if self.unwatched:
            first = self.unwatched[0]
            ranks = f"rank{'s' * (len(self.unwatched) > 1)} {', '.join(map(str, self.unwatched))}"
            why = f"rank {first} on host {self._hosts[first]}: {failures[first]}"
            secondary.report(
                f"{ranks} cannot be watched ({printable(why)}): if one of them dies, the others "
                "may wait for it without end"
            )


def _listener(host: str, size: int) -> socket.socket:
    """Return a socket that listens at one address of this host, or at all of them."""
    queue = max(size, 128)  # ranks connect at once
    if not host and socket.has_dualstack_ipv6():
        with suppress(OSError):  # of a host without addresses of IPv6
            return socket.create_server(
                (host, 0), family=socket.AF_INET6, backlog=queue, dualstack_ipv6=True
            )
    return socket.create_server((host, 0), backlog=queue)


def _watching_process(
    descriptor: int, token: str
) -> tuple["subprocess.Popen[bytes]", socket.socket]:
    """Start the watching process, which accepts connections of a listening socket.

    Returns
    -------
    process : subprocess.Popen
    control : socket.socket
        A connection to its standard input.
    """
    control, standard_input = socket.socketpair()
    try:
        with standard_input:
            process = subprocess.Popen(
                [sys.executable, "-I", "-S", watcher.__file__, str(descriptor)],
                stdin=standard_input.fileno(),
                stdout=subprocess.DEVNULL,  # standard error is that of this process
                pass_fds=[descriptor],
                start_new_session=True,  # neither Ctrl-C in a terminal nor most launchers reach it
            )
    except BaseException:
        control.close()
        raise
    with suppress(OSError):  # it does not answer if it has ended
        control.send(token.encode(), AT_ONCE)
    return process, control


def _send(connection: socket.socket | None, line: str) -> None:
    """Send a line at once, or not at all."""
    if connection is not None:
        with suppress(OSError):
            connection.send(f"{line}\n".encode(), AT_ONCE)


def _addresses(others: list[str]) -> list[str]:
    """Return addresses of this host for other hosts: the one from which it sends to them first."""
    addresses = []
    for host in others[:1]:
        with suppress(OSError, UnicodeError):  # of a name that is no name of a host
            for family, kind, protocol, _, address in socket.getaddrinfo(
                host, 9, type=socket.SOCK_DGRAM
            ):
                with socket.socket(family, kind, protocol) as probe, suppress(OSError):
                    probe.connect(address)  # sends nothing
                    addresses.append(str(probe.getsockname()[0]))
    return [*addresses, socket.gethostname()] if others else []


_WATCHES: "weakref.WeakSet[Watch]" = weakref.WeakSet()
"""The watches of this process."""


def _close_in_child() -> None:
    """Close connections in a forked process: a copy there would keep them open."""
    for watch in list(_WATCHES):
        for connection in (watch._connection, watch._control):
            if connection is not None:
                connection.close()
        watch._connection = watch._control = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_close_in_child)
