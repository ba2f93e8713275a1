package nodetap.jvm;

import io.prometheus.metrics.expositionformats.PrometheusTextFormatWriter;
import io.prometheus.metrics.instrumentation.jvm.JvmMetrics;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.lang.instrument.Instrumentation;
import java.nio.charset.StandardCharsets;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;

/** All that is said: the JVM, its log levels, MBeans by rule, and what the application registered itself. */
final class Metrics {
    private final PrometheusRegistry registry = new PrometheusRegistry();
    private final Instrumentation instrumentation;

    Metrics(Map<String, String> options, Instrumentation instrumentation) {
        this.instrumentation = instrumentation;
        JvmMetrics.builder().register(registry);
        String rules = options.get("rules");
        if (rules != null) {
            try {
                registry.register(new Beans(Rule.read(rules)));
            } catch (Throwable error) {
                Once.say(error);
            }
        }
        LogLevels.start(registry, instrumentation);
    }

    void write(OutputStream out) throws IOException {
        ByteArrayOutputStream own = new ByteArrayOutputStream(1 << 16);
        new PrometheusTextFormatWriter(false).write(own, registry.scrape());
        Set<String> families = new HashSet<>();
        String text = new String(own.toByteArray(), StandardCharsets.UTF_8);
        Merge.append(text, families, out);
        for (String theirs : DefaultRegistry.texts(instrumentation)) {
            Merge.append(theirs, families, out);
        }
    }
}
