r"""What a process sends over TCP: counted by the kernel, and foretold from what gloo does.

gloo arranges n processes in a ring, in which each sends to one neighbour and hears from the other.
A message is announced by its sender (48 bytes), asked for by its receiver (48), and sent behind a
header (48). With N such messages from each process to the next, a process writes

    payload + 144 N bytes,

48 N of them back to the neighbour that it hears from. For

- an all-gather of b bytes from each: n - 1 rounds, in which a process passes on what it heard in
  the round before, in two halves: payload (n - 1) b, N = 2 (n - 1);
- an all-reduce of a vector of b bytes: a reduce-scatter and an all-gather of the vector, cut into
  s = 2 n segments, or, where these had more than 2^20 bytes, as many multiples of n as need be:
  payload 2 (n - 1) / n b, N = 2 (n - 1) / n s.

Where n divides the numbers into no equal parts, segments are rounded up to whole numbers, the last
ones are shorter or empty, and the ring is uneven by as much.

These are bytes handed to TCP. Its own headers and those of IP come on top, 52 bytes or more a
packet, 0.1% of the packets of a loopback and 3.6% of those of an Ethernet.
"""

import math
import os
import socket
import struct

__all__ = ["all_gather", "all_reduce", "sent_at_sockets"]

HEADERS = 3 * 48
LONGEST_SEGMENT = 2**20

# Offsets in the kernel's struct tcp_info, which only ever grows at its end (linux/tcp.h).
_NOT_SENT, _SENT, _SENT_AGAIN = 144, 200, 208


def all_gather(size: float, processes: int) -> float:
    """Bytes that a process writes to gather `size` bytes from each."""
    rounds = processes - 1
    return rounds * (size + 2 * HEADERS)


def all_reduce(size: float, processes: int) -> float:
    """Bytes that a process writes, in the mean over them, to sum vectors of `size` bytes."""
    rounds = 2 * (processes - 1)
    segments_each = max(2, math.ceil(math.ceil(size / LONGEST_SEGMENT) / processes))
    return rounds * (size / processes + segments_each * HEADERS)


def sent_at_sockets(control_port: int | None = None) -> tuple[int, int]:
    """Bytes that this process has written to its open TCP connections so far.

    Args:
        control_port: that of the coordinator.

    Returns:
        The bytes to other processes, and those from or to the coordinator's port, which carry
        heartbeats and barriers. What TCP had to send again counts once.

    Raises:
        OSError: if the kernel does not count them; Linux does since 4.19.
    """
    between = control = 0
    for name in os.listdir("/proc/self/fd"):
        try:
            if not os.readlink(f"/proc/self/fd/{name}").startswith("socket:"):
                continue
            connection = socket.socket(fileno=os.dup(int(name)))
        except OSError:  # closed meanwhile
            continue
        with connection:
            if connection.type != socket.SOCK_STREAM or connection.family not in (
                socket.AF_INET,
                socket.AF_INET6,
            ):
                continue
            try:
                ports = {connection.getsockname()[1], connection.getpeername()[1]}
            except OSError:  # it listens, or has been closed by its peer
                continue
            written = _written(connection)
            if control_port in ports:
                control += written
            else:
                between += written
    return between, control


def _written(connection: socket.socket) -> int:
    info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 512)
    if len(info) < _SENT_AGAIN + 8:
        raise OSError(
            f"the kernel's tcp_info has {len(info)} bytes and does not count what was sent; Linux "
            "does since 4.19."
        )
    (waiting,) = struct.unpack_from("I", info, _NOT_SENT)
    sent, again = struct.unpack_from("QQ", info, _SENT)
    return int(waiting + sent - again)
