"""In the client's namespace: a few requests to every virtual server."""
import http.client
import socket

for host, port, count in [
    ("10.99.0.1", 80, 20),
    ("fd00:99::1", 80, 12),
    ("10.99.0.7", 8080, 8),
    ("fd00:99::1", 8080, 6),
]:
    for _ in range(count):
        connection = http.client.HTTPConnection(host, port, timeout=10)
        connection.request("GET", "/")
        connection.getresponse().read()
        connection.close()
client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
client.settimeout(10)
for number in range(9):
    client.sendto(b"question %d" % number, ("10.99.0.1", 53))
    client.recvfrom(999)
# What goes by a tunnel or straight to the real server is answered past the director: only the request counts.
for port in (443, 8443):
    for _ in range(5):
        one_way = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        one_way.settimeout(0.3)
        try:
            one_way.connect(("10.99.0.1", port))
        except OSError:
            pass
        one_way.close()
