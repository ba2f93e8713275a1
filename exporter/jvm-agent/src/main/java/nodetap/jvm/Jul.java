package nodetap.jvm;

import io.prometheus.metrics.core.datapoints.CounterDataPoint;
import java.util.Map;
import java.util.logging.Handler;
import java.util.logging.LogManager;
import java.util.logging.LogRecord;
import java.util.logging.Logger;

/**
 * Counts what reaches the root of java.util.logging.
 *
 * <p>A class of its own, so that nothing of java.util.logging is loaded before the application has: whoever asks for the
 * log manager first decides which one it is.
 */
final class Jul extends Handler {
    private final Map<String, CounterDataPoint> points;

    private Jul(Map<String, CounterDataPoint> points) {
        this.points = points;
    }

    static void count(Map<String, CounterDataPoint> points) {
        Logger root = LogManager.getLogManager().getLogger("");
        if (root == null) {
            return;
        }
        for (Handler handler : root.getHandlers()) {
            if (handler instanceof Jul) {
                return;
            }
        }
        root.addHandler(new Jul(points));
    }

    @Override
    public void publish(LogRecord record) {
        int level = record == null ? 0 : record.getLevel().intValue();
        String name;
        if (level >= 1000) {
            name = "error";
        } else if (level >= 900) {
            name = "warn";
        } else if (level >= 800) {
            name = "info";
        } else {
            name = level >= 500 ? "debug" : "trace";
        }
        points.get(name).inc();
    }

    @Override
    public void flush() {}

    @Override
    public void close() {}
}
