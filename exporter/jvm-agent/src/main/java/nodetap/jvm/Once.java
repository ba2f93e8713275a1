package nodetap.jvm;

import java.util.concurrent.atomic.AtomicBoolean;

/** Says what went wrong, the first time only. */
final class Once {
    private static final AtomicBoolean SAID = new AtomicBoolean();

    private Once() {}

    static void say(Throwable error) {
        if (SAID.compareAndSet(false, true)) {
            System.err.println("nodetap agent: " + error + " (the application is not affected; not said again)");
        }
    }
}
