package nodetap.jvm;

import io.prometheus.metrics.core.datapoints.CounterDataPoint;
import io.prometheus.metrics.core.metrics.Counter;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import java.lang.instrument.Instrumentation;
import java.lang.reflect.InvocationHandler;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.util.Collection;
import java.util.HashMap;
import java.util.Map;

/**
 * Counts log messages by level, in whichever of logback, log4j2 and java.util.logging the application uses.
 *
 * <p>They are found among the loaded classes, never loaded by us: a framework that is set up too early would be set up
 * wrongly. Configuration that is read again throws our counting appender out, so it is looked for again and again.
 */
final class LogLevels {
    private static final String[] LEVELS = {"trace", "debug", "info", "warn", "error", "fatal"};
    private static final long INTERVAL_MILLIS = 5000;
    private static final long FIRST_MILLIS = 1000;
    private static final String NAME = "nodetap";

    private final Counter counter;
    private final Instrumentation instrumentation;

    private LogLevels(Counter counter, Instrumentation instrumentation) {
        this.counter = counter;
        this.instrumentation = instrumentation;
    }

    static void start(PrometheusRegistry registry, Instrumentation instrumentation) {
        Counter counter = Counter.builder()
                .name("jvm_log_messages_total")
                .help("Messages that the application logged, by level.")
                .labelNames("framework", "level")
                .register(registry);
        LogLevels levels = new LogLevels(counter, instrumentation);
        Thread thread = new Thread(levels::run, "nodetap log levels");
        thread.setDaemon(true);
        thread.setPriority(Thread.MIN_PRIORITY);
        thread.start();
    }

    private void run() {
        long pause = FIRST_MILLIS;
        while (true) {
            try {
                Thread.sleep(pause);
                look();
            } catch (InterruptedException stopped) {
                return;
            } catch (Throwable error) {
                Once.say(error);
            }
            pause = INTERVAL_MILLIS;
        }
    }

    private void look() {
        for (Class<?> loaded : instrumentation.getAllLoadedClasses()) {
            try {
                switch (loaded.getName()) {
                    case "ch.qos.logback.classic.LoggerContext":
                        logback(loaded);
                        break;
                    case "org.apache.logging.log4j.core.impl.Log4jContextFactory":
                        log4j(loaded);
                        break;
                    case "java.util.logging.LogManager":
                        Jul.count(points("jul"));
                        break;
                    default:
                }
            } catch (Throwable error) {
                Once.say(error);
            }
        }
    }

    /** One counter for each level, all there from the first sight on. */
    private Map<String, CounterDataPoint> points(String framework) {
        Map<String, CounterDataPoint> points = new HashMap<>();
        for (String level : LEVELS) {
            points.put(level, counter.labelValues(framework, level));
        }
        return points;
    }

    private static Class<?> beside(Class<?> type, String name) throws ClassNotFoundException {
        return Class.forName(name, true, type.getClassLoader());
    }

    // --- logback ---

    private void logback(Class<?> contextType) throws Exception {
        Object context = beside(contextType, "org.slf4j.LoggerFactory").getMethod("getILoggerFactory").invoke(null);
        // While slf4j starts it gives another one out.
        if (!contextType.isInstance(context)) {
            return;
        }
        Class<?> appenderType = beside(contextType, "ch.qos.logback.core.Appender");
        Class<?> loggerType = beside(contextType, "ch.qos.logback.classic.Logger");
        Class<?> eventType = beside(contextType, "ch.qos.logback.classic.spi.ILoggingEvent");
        Method get = loggerType.getMethod("getAppender", String.class);
        Method add = loggerType.getMethod("addAppender", appenderType);
        Method isAdditive = loggerType.getMethod("isAdditive");
        Method getName = loggerType.getMethod("getName");
        Method level = eventType.getMethod("getLevel");
        Collection<?> loggers = (Collection<?>) contextType.getMethod("getLoggerList").invoke(context);
        for (Object logger : loggers) {
            boolean isTop = getName.invoke(logger).equals("ROOT") || !(Boolean) isAdditive.invoke(logger);
            if (isTop && get.invoke(logger, NAME) == null) {
                Map<String, CounterDataPoint> points = points("logback");
                add.invoke(logger, appender(appenderType, "doAppend", level, points));
            }
        }
    }

    // --- log4j2 ---

    private void log4j(Class<?> factoryType) throws Exception {
        Object factory = beside(factoryType, "org.apache.logging.log4j.LogManager").getMethod("getFactory").invoke(null);
        if (!factoryType.isInstance(factory)) {
            return;
        }
        Object selector = factoryType.getMethod("getSelector").invoke(factory);
        Class<?> selectorType = beside(factoryType, "org.apache.logging.log4j.core.selector.ContextSelector");
        Class<?> contextType = beside(factoryType, "org.apache.logging.log4j.core.LoggerContext");
        Class<?> configType = beside(factoryType, "org.apache.logging.log4j.core.config.Configuration");
        Class<?> loggerType = beside(factoryType, "org.apache.logging.log4j.core.config.LoggerConfig");
        Class<?> appenderType = beside(factoryType, "org.apache.logging.log4j.core.Appender");
        Class<?> levelType = beside(factoryType, "org.apache.logging.log4j.Level");
        Class<?> filterType = beside(factoryType, "org.apache.logging.log4j.core.Filter");
        Class<?> eventType = beside(factoryType, "org.apache.logging.log4j.core.LogEvent");
        Method level = eventType.getMethod("getLevel");
        Method add = loggerType.getMethod("addAppender", appenderType, levelType, filterType);
        Collection<?> contexts = (Collection<?>) selectorType.getMethod("getLoggerContexts").invoke(selector);
        for (Object context : contexts) {
            Object config = contextType.getMethod("getConfiguration").invoke(context);
            Map<?, ?> loggers = (Map<?, ?>) configType.getMethod("getLoggers").invoke(config);
            boolean isChanged = false;
            for (Object logger : loggers.values()) {
                Map<?, ?> appenders = (Map<?, ?>) loggerType.getMethod("getAppenders").invoke(logger);
                boolean isTop = loggerType.getMethod("getParent").invoke(logger) == null
                        || !(Boolean) loggerType.getMethod("isAdditive").invoke(logger);
                if (isTop && !appenders.containsKey(NAME)) {
                    Map<String, CounterDataPoint> points = points("log4j2");
                    add.invoke(logger, appender(appenderType, "append", level, points), null, null);
                    isChanged = true;
                }
            }
            if (isChanged) {
                contextType.getMethod("updateLoggers").invoke(context);
            }
        }
    }

    /** An appender of a type that we were not compiled with. */
    private static Object appender(
            Class<?> type, String append, Method level, Map<String, CounterDataPoint> points) {
        InvocationHandler handler = (self, method, arguments) -> {
            switch (method.getName()) {
                case "getName":
                    return NAME;
                case "isStarted":
                case "ignoreExceptions":
                    return true;
                case "equals":
                    return self == arguments[0];
                case "hashCode":
                    return System.identityHashCode(self);
                case "toString":
                    return NAME;
                default:
            }
            if (method.getName().equals(append)) {
                try {
                    count(points, String.valueOf(level.invoke(arguments[0])));
                } catch (Throwable error) {
                    Once.say(error);
                }
            }
            return nothing(method.getReturnType());
        };
        return Proxy.newProxyInstance(type.getClassLoader(), new Class<?>[] {type}, handler);
    }

    /** What a method returns that does nothing. */
    private static Object nothing(Class<?> type) {
        if (type == boolean.class) {
            return false;
        }
        if (type == int.class) {
            return 0;
        }
        if (type == long.class) {
            return 0L;
        }
        // An enumeration that asks our filters gets no opinion.
        if (type.isEnum()) {
            for (Object constant : type.getEnumConstants()) {
                if (constant.toString().equals("NEUTRAL") || constant.toString().equals("STARTED")) {
                    return constant;
                }
            }
        }
        return null;
    }

    private static void count(Map<String, CounterDataPoint> points, String level) {
        CounterDataPoint point = points.get(level.toLowerCase(java.util.Locale.ROOT));
        // A level of the application's own.
        (point == null ? points.get("info") : point).inc();
    }
}
