package nodetap.jvm;

import io.prometheus.metrics.model.registry.MultiCollector;
import io.prometheus.metrics.model.snapshots.CounterSnapshot;
import io.prometheus.metrics.model.snapshots.GaugeSnapshot;
import io.prometheus.metrics.model.snapshots.Labels;
import io.prometheus.metrics.model.snapshots.MetricSnapshot;
import io.prometheus.metrics.model.snapshots.MetricSnapshots;
import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.Hashtable;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import javax.management.MBeanServer;
import javax.management.ObjectName;
import javax.management.openmbean.CompositeData;

/** Numbers of MBeans, by rule. A bean that can't be asked is left out. */
final class Beans implements MultiCollector {
    private static final int SERIES_MAX = 2000;

    private final List<Rule> rules;

    Beans(List<Rule> rules) {
        this.rules = rules;
    }

    @Override
    public MetricSnapshots collect() {
        Map<String, Map<Labels, Double>> values = new LinkedHashMap<>();
        Map<String, Boolean> counters = new LinkedHashMap<>();
        MBeanServer server = ManagementFactory.getPlatformMBeanServer();
        int series = 0;
        for (Rule rule : rules) {
            String name = rule.isCounter && rule.name.endsWith("_total")
                    ? rule.name.substring(0, rule.name.length() - "_total".length())
                    : rule.name;
            counters.putIfAbsent(name, rule.isCounter);
            for (ObjectName bean : server.queryNames(rule.pattern, null)) {
                Double value = number(server, bean, rule.attribute);
                if (value != null && series++ < SERIES_MAX) {
                    values.computeIfAbsent(name, unused -> new LinkedHashMap<>())
                            .putIfAbsent(labels(rule.pattern, bean), value);
                }
            }
        }
        List<MetricSnapshot> snapshots = new ArrayList<>();
        values.forEach((name, points) -> {
            if (counters.get(name)) {
                CounterSnapshot.Builder builder = CounterSnapshot.builder().name(name).help("MBean.");
                points.forEach((labels, value) -> builder.dataPoint(CounterSnapshot.CounterDataPointSnapshot.builder()
                        .labels(labels)
                        .value(Math.max(0, value))
                        .build()));
                snapshots.add(builder.build());
            } else {
                GaugeSnapshot.Builder builder = GaugeSnapshot.builder().name(name).help("MBean.");
                points.forEach((labels, value) -> builder.dataPoint(GaugeSnapshot.GaugeDataPointSnapshot.builder()
                        .labels(labels)
                        .value(value)
                        .build()));
                snapshots.add(builder.build());
            }
        });
        return new MetricSnapshots(snapshots);
    }

    private static Double number(MBeanServer server, ObjectName bean, String path) {
        try {
            int dot = path.indexOf('.');
            Object value = server.getAttribute(bean, dot < 0 ? path : path.substring(0, dot));
            if (dot >= 0 && value instanceof CompositeData) {
                value = ((CompositeData) value).get(path.substring(dot + 1));
            }
            if (value instanceof Boolean) {
                return (Boolean) value ? 1.0 : 0.0;
            }
            return value instanceof Number ? ((Number) value).doubleValue() : null;
        } catch (Throwable gone) {
            return null;
        }
    }

    /** The keys that the pattern leaves open. */
    private static Labels labels(ObjectName pattern, ObjectName bean) {
        Hashtable<String, String> fixed = pattern.getKeyPropertyList();
        Map<String, String> open = new TreeMap<>();
        bean.getKeyPropertyList().forEach((key, value) -> {
            if (!value.equals(fixed.get(key))) {
                String name = key.replaceAll("[^a-zA-Z0-9_]", "_");
                String unquoted = value.startsWith("\"") ? ObjectName.unquote(value) : value;
                open.putIfAbsent(name.matches("[0-9_].*") ? "key_" + name : name, unquoted);
            }
        });
        return Labels.of(open.keySet().toArray(new String[0]), open.values().toArray(new String[0]));
    }
}
