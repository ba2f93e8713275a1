"""hold.py COUNT QUEUE: holds the packets of an NFQUEUE until there are COUNT, then lets all of them go.

Packets of one connection that are held before the first is confirmed race to be inserted into the table.
Layout: linux/netfilter/nfnetlink_queue.h.
"""
import socket
import struct
import sys
import time

NFNL_SUBSYS_QUEUE, PACKET, VERDICT, CONFIG = 3, 0, 1, 2
count, queue = int(sys.argv[1]), int(sys.argv[2])
netlink = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_NETFILTER if hasattr(socket, "NETLINK_NETFILTER") else 12)
netlink.bind((0, 0))
netlink.settimeout(20)


def attribute(kind, value):
    return struct.pack("=HH", 4 + len(value), kind) + value + b"\0" * (-len(value) % 4)


def send(kind, attributes, acknowledge):
    body = struct.pack("=BBH", 0, 0, socket.htons(queue)) + attributes
    flags = 5 if acknowledge else 1
    netlink.send(struct.pack("=IHHII", 16 + len(body), NFNL_SUBSYS_QUEUE << 8 | kind, flags, 1, 0) + body)
    if acknowledge:
        (error,) = struct.unpack_from("=i", netlink.recv(4096), 16)
        if error:
            raise OSError(-error, "the kernel refused")


send(CONFIG, attribute(1, struct.pack(">BBH", 1, 0, socket.AF_INET)), True)
send(CONFIG, attribute(2, struct.pack(">IB", 64, 2)), True)
print("ready", flush=True)
held = []
while len(held) < count:
    datagram = netlink.recv(65536)
    _, kind = struct.unpack_from("=IH", datagram)
    rest = datagram[20:]
    while kind == NFNL_SUBSYS_QUEUE << 8 | PACKET and len(rest) >= 4:
        length, name = struct.unpack_from("=HH", rest)
        if name & 0x3FFF == 1:
            held.append(struct.unpack_from(">I", rest, 4)[0])
        rest = rest[(length + 3) & ~3 :]
for packet in held:
    send(VERDICT, attribute(2, struct.pack(">II", 1, packet)), False)
# The verdicts are read by the kernel in this process's time.
time.sleep(0.2)
