package nodetap.jvm;

import java.lang.instrument.Instrumentation;
import java.util.Map;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * What begins when the JVM loads the agent, by {@code -javaagent:} or later by attach.
 *
 * <p>The application comes first: nothing here throws into it, holds it up, or keeps it alive. Whatever goes wrong is
 * said once on standard error, and then the agent is quiet.
 */
public final class Agent {
    private static final AtomicBoolean STARTED = new AtomicBoolean();
    private static final int LOG_MANAGER_WAITS = 600;
    private static final long LOG_MANAGER_MILLIS = 100;

    private Agent() {}

    /** Called before {@code main}. */
    public static void premain(String options, Instrumentation instrumentation) {
        start(options, instrumentation);
    }

    /** Called in a running JVM. */
    public static void agentmain(String options, Instrumentation instrumentation) {
        start(options, instrumentation);
    }

    private static void start(String text, Instrumentation instrumentation) {
        if (!STARTED.compareAndSet(false, true)) {
            return;
        }
        // On a thread of its own, so that neither class loading nor a full port holds the application up.
        Thread thread = new Thread(() -> run(text, instrumentation), "nodetap");
        thread.setDaemon(true);
        thread.setPriority(Thread.MIN_PRIORITY);
        thread.setContextClassLoader(Agent.class.getClassLoader());
        thread.start();
    }

    /** Waits as long as it is told, and until an application server has chosen its log manager. */
    private static void delay(Map<String, String> options) throws InterruptedException {
        Thread.sleep(1000L * Long.parseLong(options.getOrDefault("delay", "0")));
        boolean chooses = System.getProperty("sun.java.command", "").contains("jboss-modules");
        for (int i = 0; i < LOG_MANAGER_WAITS && chooses; i++) {
            if (System.getProperty("java.util.logging.manager") != null) {
                return;
            }
            Thread.sleep(LOG_MANAGER_MILLIS);
        }
    }

    private static void run(String text, Instrumentation instrumentation) {
        try {
            Map<String, String> options = Options.parse(text);
            delay(options);
            Metrics metrics = new Metrics(options, instrumentation);
            Server server = new Server(options, metrics);
            Note.write(server.host(), server.port());
            server.serve();
        } catch (Throwable error) {
            Once.say(error);
        }
    }
}
