package nodetap.jvm;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.Map;

/**
 * Answers {@code GET /metrics}, one request at a time, on one thread.
 *
 * <p>The JDK's own HTTP server is not used: small run-time images have no {@code jdk.httpserver}.
 */
final class Server {
    private static final int REQUEST_BYTES_MAX = 8192;
    private static final int PATIENCE_MILLIS = 5000;
    private static final int WAITING_MAX = 4;

    private final ServerSocket socket;
    private final Metrics metrics;
    private final String host;

    Server(Map<String, String> options, Metrics metrics) throws IOException {
        this.metrics = metrics;
        host = options.getOrDefault("host", "127.0.0.1");
        int port = Integer.parseInt(options.getOrDefault("port", "0"));
        socket = new ServerSocket();
        socket.bind(new InetSocketAddress(InetAddress.getByName(host), port), WAITING_MAX);
    }

    String host() {
        return host;
    }

    int port() {
        return socket.getLocalPort();
    }

    void serve() throws IOException {
        while (true) {
            try (Socket client = socket.accept()) {
                client.setSoTimeout(PATIENCE_MILLIS);
                answer(client);
            } catch (Throwable error) {
                if (socket.isClosed()) {
                    throw error;
                }
                Once.say(error);
            }
        }
    }

    private void answer(Socket client) throws IOException {
        String request = head(client.getInputStream());
        String[] words = request.split(" ", 3);
        OutputStream out = client.getOutputStream();
        if (words.length < 3 || !words[0].equals("GET")) {
            write(out, "405 Method Not Allowed", new byte[0]);
        } else if (words[1].equals("/metrics") || words[1].startsWith("/metrics?")) {
            ByteArrayOutputStream body = new ByteArrayOutputStream(1 << 16);
            metrics.write(body);
            write(out, "200 OK", body.toByteArray());
        } else {
            write(out, "404 Not Found", new byte[0]);
        }
    }

    /** Reads up to the empty line; no more than a limit, no longer than a while. */
    private static String head(InputStream in) throws IOException {
        ByteArrayOutputStream head = new ByteArrayOutputStream();
        long end = System.nanoTime() + PATIENCE_MILLIS * 1_000_000L;
        int last = 0;
        while (head.size() < REQUEST_BYTES_MAX && System.nanoTime() < end) {
            int next = in.read();
            if (next < 0) {
                break;
            }
            head.write(next);
            last = (last << 8) | next;
            if (last == 0x0d0a0d0a) {
                break;
            }
        }
        String text = new String(head.toByteArray(), StandardCharsets.ISO_8859_1);
        int line = text.indexOf('\r');
        return line < 0 ? text : text.substring(0, line);
    }

    private static void write(OutputStream out, String status, byte[] body) throws IOException {
        String head = "HTTP/1.0 " + status
                + "\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\nContent-Length: "
                + body.length
                + "\r\nConnection: close\r\n\r\n";
        out.write(head.getBytes(StandardCharsets.ISO_8859_1));
        out.write(body);
        out.flush();
    }
}
