package main

import "strings"

// The exporter's own job: families that node_exporter has too would count twice without it.
const job = `job="nodetap"`

// The variables of a dashboard. "All" is `.*`, which an absent label matches too: one cluster needs no cluster label.
const (
	inCluster   = `cluster=~"$cluster"`
	onNode      = `node=~"$node"`
	inNamespace = `namespace=~"$namespace"`
)

func selector(metric string, matchers ...string) string {
	if len(matchers) == 0 {
		return metric
	}
	return metric + "{" + strings.Join(matchers, ", ") + "}"
}

// of selects a family of the chosen nodes.
func of(metric string, more ...string) string {
	return selector(metric, append([]string{inCluster, onNode}, more...)...)
}

// ofPods selects a family of the chosen nodes and namespaces.
func ofPods(metric string, more ...string) string {
	return of(metric, append([]string{inNamespace}, more...)...)
}

// ofCluster selects a family that knows clusters and no nodes.
func ofCluster(metric string, more ...string) string {
	return selector(metric, append([]string{inCluster}, more...)...)
}

// rate of a counter for a chart; its window follows the chart's step.
func rate(counter string) string { return "rate(" + counter + "[$__rate_interval])" }

// lately is the rate of a counter for a tile: five minutes outlast a scrape that is missed.
func lately(counter string) string { return "rate(" + counter + "[5m])" }

// within is what a counter grew by within the time that is shown.
func within(counter string) string { return "increase(" + counter + "[$__range])" }

func sum(expression string, by ...string) string     { return aggregate("sum", expression, by) }
func highest(expression string, by ...string) string { return aggregate("max", expression, by) }
func lowest(expression string, by ...string) string  { return aggregate("min", expression, by) }
func count(expression string, by ...string) string   { return aggregate("count", expression, by) }

func aggregate(operator, expression string, by []string) string {
	if len(by) == 0 {
		return operator + "(" + expression + ")"
	}
	return operator + " by (" + strings.Join(by, ", ") + ") (" + expression + ")"
}

// howMany counts the series for which the condition holds; 0 where there are series, and nothing where nothing was measured.
func howMany(series, condition string) string {
	return "count(" + series + " " + condition + ") or 0 * count(" + series + ")"
}

// firing counts the alerts that fire; 0 where Prometheus hears of nodetap at all.
func firing(alerts []string) string {
	return "count(" + alertSeries(alerts) + ") or 0 * count(" + ofCluster("up", job) + ")"
}

func alertSeries(alerts []string) string {
	// The watchdog fires as long as all is well.
	matchers := []string{`alertstate="firing"`, `alertname!="NodeAgentWatchdog"`}
	if len(alerts) > 0 {
		matchers = append(matchers, `alertname=~"`+strings.Join(alerts, "|")+`"`)
	}
	return ofCluster("ALERTS", matchers...)
}

func quantile(part, histogram string, by ...string) string {
	buckets := sum(rate(histogram), append(by, "le")...)
	return "histogram_quantile(" + part + ", " + buckets + ")"
}
