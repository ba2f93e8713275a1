package nodetap.jvm;

import java.io.ByteArrayOutputStream;
import java.io.OutputStream;
import java.io.StringWriter;
import java.io.Writer;
import java.lang.instrument.Instrumentation;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Enumeration;
import java.util.List;

/**
 * What the application registered with the Prometheus client's default registry, of either generation, in any class
 * loader. Its own classes write it, so that no version of ours has to fit.
 */
final class DefaultRegistry {
    /** Joined at run time: relocation rewrites every constant that names the client's package. */
    private static final String CLIENT = String.join(".", "io", "prometheus");

    private static final String GENERATION_1 = CLIENT + ".metrics.model.registry.PrometheusRegistry";
    private static final String GENERATION_0 = CLIENT + ".client.CollectorRegistry";

    private DefaultRegistry() {}

    static List<String> texts(Instrumentation instrumentation) {
        List<String> texts = new ArrayList<>();
        for (Class<?> loaded : instrumentation.getAllLoadedClasses()) {
            try {
                if (loaded.getName().equals(GENERATION_1)) {
                    texts.add(first(loaded));
                } else if (loaded.getName().equals(GENERATION_0)) {
                    texts.add(zeroth(loaded));
                }
            } catch (Throwable error) {
                Once.say(error);
            }
        }
        return texts;
    }

    private static String first(Class<?> type) throws Exception {
        Object registry = type.getField("defaultRegistry").get(null);
        Object snapshots = type.getMethod("scrape").invoke(registry);
        Class<?> writer = Class.forName(
                CLIENT + ".metrics.expositionformats.PrometheusTextFormatWriter", true, type.getClassLoader());
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        writer.getMethod("write", OutputStream.class, snapshots.getClass())
                .invoke(writer.getConstructor(boolean.class).newInstance(false), out, snapshots);
        return new String(out.toByteArray(), StandardCharsets.UTF_8);
    }

    private static String zeroth(Class<?> type) throws Exception {
        Object registry = type.getField("defaultRegistry").get(null);
        Object samples = type.getMethod("metricFamilySamples").invoke(registry);
        Class<?> format = Class.forName(
                CLIENT + ".client.exporter.common.TextFormat", true, type.getClassLoader());
        StringWriter out = new StringWriter();
        format.getMethod("write004", Writer.class, Enumeration.class).invoke(null, out, samples);
        return out.toString();
    }
}
