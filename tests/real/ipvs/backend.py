"""backend.py NAME: a real server. HTTP on 80, 443 and 8080 of both families, an echo on UDP 53."""
import http.server
import socket
import sys
import threading


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = sys.argv[1].encode() * 100
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6
    request_queue_size = 64

    def server_bind(self):
        self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        self.socket.bind(self.server_address)
        self.server_name, self.server_port = sys.argv[1], self.server_address[1]


for port in (80, 443, 8080):
    threading.Thread(target=Server(("::", port), Handler).serve_forever, daemon=True).start()
echo = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
echo.bind(("0.0.0.0", 53))
while True:
    data, sender = echo.recvfrom(65535)
    echo.sendto(data, sender)
