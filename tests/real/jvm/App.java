import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.lang.management.ClassLoadingMXBean;
import java.lang.management.GarbageCollectorMXBean;
import java.lang.management.ManagementFactory;
import java.lang.management.MemoryPoolMXBean;
import java.lang.management.MemoryType;
import java.lang.management.ThreadMXBean;
import java.net.InetSocketAddress;
import java.util.ArrayList;
import java.util.List;
import org.eclipse.jetty.io.Content;
import org.eclipse.jetty.server.Handler;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.server.Response;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.util.Callback;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** A web application that logs, makes garbage, and tells on standard output what JMX says of it. */
public class App {
    private static final Logger LOG = LoggerFactory.getLogger("app.orders");

    public static void main(String[] arguments) throws Exception {
        Server server = new Server(new InetSocketAddress("127.0.0.1", 0));
        server.setHandler(new Handler.Abstract() {
            @Override
            public boolean handle(Request request, Response response, Callback callback) {
                Content.Sink.write(response, true, "ok\n", callback);
                return true;
            }
        });
        server.start();
        say("ready");
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            switch (line) {
                case "garbage":
                    garbage();
                    break;
                case "log":
                    LOG.debug("order looked at");
                    LOG.info("order done");
                    LOG.warn("order slow");
                    LOG.warn("order slower");
                    LOG.error("order failed", new IllegalStateException("outer", new RuntimeException("inner")));
                    break;
                default:
                    jmx();
            }
            say(".");
        }
        System.exit(0);
    }

    private static void say(String line) {
        System.out.println("> " + line);
        System.out.flush();
    }

    private static void garbage() {
        List<byte[]> kept = new ArrayList<>();
        for (int i = 0; i < 3000; i++) {
            kept.add(new byte[20_000]);
            if (kept.size() > 500) {
                kept.clear();
            }
        }
        System.gc();
    }

    private static void jmx() {
        for (GarbageCollectorMXBean bean : ManagementFactory.getGarbageCollectorMXBeans()) {
            say("gc|" + bean.getName() + "|" + bean.getCollectionCount() + "|" + bean.getCollectionTime());
        }
        for (MemoryPoolMXBean bean : ManagementFactory.getMemoryPoolMXBeans()) {
            String kind = bean.getType() == MemoryType.HEAP ? "heap" : "other";
            say("pool|" + bean.getName() + "|" + kind + "|" + bean.getUsage().getUsed() + "|"
                    + bean.getUsage().getCommitted() + "|" + bean.getUsage().getMax());
        }
        ThreadMXBean threads = ManagementFactory.getThreadMXBean();
        say("number|jvm_threads_current|" + threads.getThreadCount());
        say("number|jvm_threads_daemon|" + threads.getDaemonThreadCount());
        say("number|jvm_threads_peak|" + threads.getPeakThreadCount());
        say("number|jvm_threads_started_total|" + threads.getTotalStartedThreadCount());
        ClassLoadingMXBean classes = ManagementFactory.getClassLoadingMXBean();
        say("number|jvm_classes_currently_loaded|" + classes.getLoadedClassCount());
        say("number|jvm_classes_loaded_total|" + classes.getTotalLoadedClassCount());
        say("number|jvm_classes_unloaded_total|" + classes.getUnloadedClassCount());
        say("number|jvm_memory_max_bytes|" + ManagementFactory.getMemoryMXBean().getHeapMemoryUsage().getMax());
        say("number|jvm_start_time_seconds|" + ManagementFactory.getRuntimeMXBean().getStartTime() / 1000.0);
    }
}
