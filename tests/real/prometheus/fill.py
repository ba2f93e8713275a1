"""Opens so many flows of one datagram each:  fill.py COUNT"""
import itertools, socket, sys

targets = (
    ("127.%d.%d.%d" % (a, b, c), port)
    for port in range(1000, 1100)
    for a in range(1, 4)
    for b in range(250)
    for c in range(1, 250)
)
sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for target in itertools.islice(targets, int(sys.argv[1])):
    sender.sendto(b"f", target)
