"""Processes of one machine in networks of their own, joined by links of a stated speed.

    with EmulatedLinks(2, bits_per_second=1e8, latency=1e-3) as links:
        run_together([links.command(i, [...]) for i in range(2)])

Process i has the address `links.address(i)`, which is also its host's name, as on a cluster. Every
IP packet that it sends is read here and written to the network of its receiver when its time has
come: a process's link carries its packets one after another, in each direction at the given speed,
and they arrive the latency later. Nothing is lost, and queues are as long as senders make them.

It needs no privileges: a process enters namespaces of Linux for users, networks and host names,
and opens a TUN device there.
"""

import ctypes
import fcntl
import heapq
import ipaddress
import math
import os
import select
import socket
import struct
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path

__all__ = ["EmulatedLinks", "Timetable"]

NETWORK = ipaddress.ip_network("10.9.0.0/24")
DEVICE = b"link0"

# linux/sched.h, linux/if_tun.h and linux/sockios.h
NEW_HOSTNAME, NEW_USER, NEW_NETWORK = 0x04000000, 0x10000000, 0x40000000
TUN_SET_DEVICE, TUN_OF_IP, WITHOUT_HEADER = 0x400454CA, 0x0001, 0x1000
SET_FLAGS, SET_ADDRESS, SET_NETMASK, SET_MTU = 0x8914, 0x8916, 0x891C, 0x8922
IS_UP, IS_RUNNING = 0x1, 0x40


class Timetable:
    """When packets arrive.

    A link carries packets to different targets in turns, as the fair queues of Linux do: an answer
    need not wait for all the data that its sender has for somebody else.

    Args:
        places: how many links there are.
        bits_per_second: of every link, in each direction.
        latency: seconds from the end of one link to the end of another.

    Example:
        >>> table = Timetable(3, bits_per_second=8000, latency=0.5)  # 1000 bytes take a second
        >>> for packet in (b"a" * 1000, b"b" * 1000):
        ...     table.put(0, 1, packet, now=10.0)
        >>> table.put(0, 2, b"c" * 1000, now=10.0)
        >>> [(when, to, packet[:1]) for when, to, packet in table.left(now=20.0)]
        [(11.5, 1, b'a'), (12.5, 2, b'c'), (13.5, 1, b'b')]
    """

    def __init__(self, places: int, bits_per_second: float, latency: float) -> None:
        self._seconds_a_byte, self._latency = 8 / bits_per_second, latency
        self._out_free = [0.0] * places
        self._in_free = [0.0] * places
        # Of each link: target -> packets and when they were handed over; the first is next.
        self._queues = [dict[int, deque[tuple[float, bytes]]]() for _ in range(places)]

    def put(self, source: int, target: int, packet: bytes, now: float) -> None:
        """Hand a packet over."""
        self._queues[source].setdefault(target, deque()).append((now, packet))

    def left(self, now: float) -> list[tuple[float, int, bytes]]:
        """Arrival, target and packet of all that have begun to leave by now, each one once."""
        leaving = []
        for source, queues in enumerate(self._queues):
            while queues and self._out_free[source] <= now:
                target = next(iter(queues))
                queue = queues.pop(target)
                handed_over, packet = queue.popleft()
                if queue:
                    queues[target] = queue  # behind the others
                takes = len(packet) * self._seconds_a_byte
                self._out_free[source] = max(handed_over, self._out_free[source]) + takes
                arrives = max(self._out_free[source] + self._latency, self._in_free[target] + takes)
                self._in_free[target] = arrives
                leaving.append((arrives, target, packet))
        return leaving

    @property
    def next_leaves(self) -> float:
        """When a link is free for a packet that waits; infinity if none does."""
        free = zip(self._out_free, self._queues, strict=True)
        return min((when for when, queues in free if queues), default=math.inf)


class EmulatedLinks:
    """Networks for a number of processes, and the relay between them, which is a thread here.

    Args:
        processes: how many.
        bits_per_second: of the link of each, in each direction.
        latency: in seconds, one way.
    """

    def __init__(self, processes: int, *, bits_per_second: float, latency: float) -> None:
        self._table = Timetable(processes, bits_per_second, latency)
        # A packet takes about a millisecond: there are as many to carry, whatever the speed.
        self._mtu = int(min(max(bits_per_second / 8 * 1e-3, 1500), 60_000))
        self._processes = processes

    def __enter__(self) -> "EmulatedLinks":
        self._folder = tempfile.TemporaryDirectory()
        self._door = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._door.bind(str(self._path))
        self._door.listen(self._processes)
        self._stop, self._stopping = os.pipe()
        self._relay = threading.Thread(target=self._carry, daemon=True)
        self._relay.start()
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._stopping)
        self._relay.join()
        os.close(self._stop)
        self._door.close()
        self._folder.cleanup()

    def address(self, process: int) -> str:
        """Of a process, in the networks."""
        return str(NETWORK[process + 1])

    def command(self, process: int, command: Sequence[str]) -> list[str]:
        """The command that runs a command as this process, with nothing but its link."""
        this = [sys.executable, "-m", __spec__.name, str(self._path)]
        return [*this, str(process), self.address(process), str(self._mtu), *command]

    @property
    def _path(self) -> Path:
        return Path(self._folder.name) / "door"

    def _carry(self) -> None:
        """Let processes in, and carry packets, until told to stop."""
        devices: dict[int, int] = {}  # process -> its TUN device
        process_of: dict[int, int] = {}
        waiting: list[tuple[float, int, int, bytes]] = []  # arrival, number, target, packet
        number = 0
        while True:
            now = time.monotonic()
            for arrives, target, packet in self._table.left(now):
                number += 1
                heapq.heappush(waiting, (arrives, number, target, packet))
            while waiting and waiting[0][0] <= now:
                _, _, target, packet = heapq.heappop(waiting)
                _write(devices[target], packet)
            until = min(self._table.next_leaves, waiting[0][0] if waiting else math.inf)
            patience = None if until == math.inf else max(until - now, 0.0)
            ready, _, _ = select.select([self._stop, self._door, *process_of], [], [], patience)
            now = time.monotonic()
            for source in ready:
                if source == self._stop:
                    for device in devices.values():
                        os.close(device)
                    return
                if source is self._door:
                    process, device = self._let_in()
                    devices[process] = device
                    process_of[device] = process
                    continue
                found = _read(source)  # a packet a turn: nobody's queue starves the others
                if found is None:
                    del process_of[source]
                    continue
                target = int.from_bytes(found[16:20], "big") - int(NETWORK[1])
                if target in devices:
                    self._table.put(process_of[source], target, found, now)

    def _let_in(self) -> tuple[int, int]:
        connection, _ = self._door.accept()
        with connection:
            name, (device,), _, _ = socket.recv_fds(connection, 16, 1)
            os.set_blocking(device, False)
            connection.sendall(b"in")
        return int(name), device


def enter(door: str, process: str, address: str, mtu: str) -> None:
    """Leave this process's network for one of its own, with a link to the relay behind the door.

    Raises:
        OSError: where the kernel does not let users have networks of their own.
    """
    user, group = os.getuid(), os.getgid()
    if ctypes.CDLL(None, use_errno=True).unshare(NEW_USER | NEW_NETWORK | NEW_HOSTNAME):
        reason = os.strerror(ctypes.get_errno())
        raise OSError(f"an emulated link needs Linux with user namespaces: unshare says {reason}.")
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"0 {user} 1")
    Path("/proc/self/gid_map").write_text(f"0 {group} 1")
    socket.sethostname(address)  # gloo announces the address of its host's name
    try:
        device = os.open("/dev/net/tun", os.O_RDWR)
    except OSError as error:
        raise OSError(f"an emulated link needs the device /dev/net/tun: {error}") from error
    fcntl.ioctl(device, TUN_SET_DEVICE, struct.pack("16sH22x", DEVICE, TUN_OF_IP | WITHOUT_HEADER))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:

        def set_up(request: int, name: bytes, form: str, *values: object) -> None:
            fcntl.ioctl(any_socket, request, struct.pack(f"16s{form}", name, *values))

        for request, text in ((SET_ADDRESS, address), (SET_NETMASK, str(NETWORK.netmask))):
            packed = socket.inet_aton(text)
            set_up(request, DEVICE, "HH4s8x", socket.AF_INET, 0, packed)
        set_up(SET_MTU, DEVICE, "i12x", int(mtu))
        for name in (b"lo", DEVICE):
            set_up(SET_FLAGS, name, "H14x", IS_UP | IS_RUNNING)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as way_in:
        way_in.connect(door)
        socket.send_fds(way_in, [process.encode()], [device])
        way_in.recv(2)
    os.close(device)  # the relay has it


def _read(device: int) -> bytes | None:
    """The next packet; None where the network has ended with its process."""
    try:
        return os.read(device, 65536)
    except OSError:
        return None


def _write(device: int, packet: bytes) -> None:
    try:
        os.write(device, packet)
    except OSError:  # its process has ended, and nobody would read it
        return


if __name__ == "__main__":
    enter(*sys.argv[1:5])
    os.execvp(sys.argv[5], sys.argv[5:])
