package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
)

// Kibana takes saved objects of its own version and of older ones, and brings those up to date; these are the versions
// of Kibana 8.8, the first that tells each type's version apart.
const coreVersion = "8.8.0"

var typeVersions = map[string]string{
	"index-pattern": "8.0.0", "search": "8.0.0", "visualization": "8.5.0", "dashboard": "8.7.0",
}

// The id of the data view. It covers both layouts: an index for each day, and data streams.
const dataView = "nodetap"

type savedObject struct {
	Attributes   map[string]any `json:"attributes"`
	CoreVersion  string         `json:"coreMigrationVersion"`
	ID           string         `json:"id"`
	Managed      bool           `json:"managed"`
	References   []reference    `json:"references"`
	Type         string         `json:"type"`
	TypedVersion string         `json:"typeMigrationVersion"`
}

type reference struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	Type string `json:"type"`
}

func object(kind, id string, attributes map[string]any, references ...reference) savedObject {
	if references == nil {
		references = []reference{}
	}
	return savedObject{attributes, coreVersion, id, false, references, kind, typeVersions[kind]}
}

// finding is a saved search. Its text is in Lucene's language, which a search server understands without Kibana.
type finding struct {
	search
	about   string
	query   string
	columns []string
}

func findings() []finding {
	pod := []string{"kubernetes.namespace", "kubernetes.pod.name", "kubernetes.container.name"}
	with := func(more ...string) []string { return append(append([]string{}, pod...), more...) }
	node := []string{"kubernetes.node.name", "message"}
	return []finding{
		{controlPlaneRestarts, "The last and first lines of the control plane's containers: fatal errors, leases lost, and starts.",
			"kubernetes.container.name:(kube\\-apiserver OR kube\\-controller\\-manager OR kube\\-scheduler OR etcd) AND " +
				"(log.level:fatal OR message:(\"leaderelection lost\" OR \"failed to renew lease\" OR \"starting an etcd server\"" +
				" OR \"starting kubernetes scheduler\" OR \"starting version\") OR (message:version AND message:/v[0-9]+\\.[0-9.]+/))",
			[]string{"kubernetes.node.name", "kubernetes.container.name", "kubernetes.container.restart_count", "log.level", "message"}},
		{fatalAndError, "Lines that call themselves fatal or error, by workload.",
			"log.level:(fatal OR error)", with("log.level", "message")},
		{ingress5xx, "Requests that ingresses answered with 5xx, from their access logs, as text or as JSON.",
			fiveHundreds(), with("message")},
		{keepalivedChecks, "What keepalived says of health checks and of VRRP.",
			"message:(\"misc check\" OR keepalived_healthcheckers OR keepalived_vrrp)", node},
		{conntrackFull, "The kernel dropped packets because the conntrack table was full.",
			"message:\"nf_conntrack table full\"", node},
		{felixErrors, "Errors of Calico's node agent.",
			"kubernetes.container.name:calico\\-node AND log.level:(fatal OR error)",
			[]string{"kubernetes.node.name", "log.level", "message"}},
	}
}

// fiveHundreds finds the status behind the protocol's version: a number alone might be a size or a port.
func fiveHundreds() string {
	var phrases []string
	for _, version := range []string{"1.0", "1.1", "2.0", "3.0"} {
		for _, status := range []string{"500", "501", "502", "503", "504"} {
			phrases = append(phrases, `"HTTP `+version+" "+status+`"`)
		}
	}
	return "message:(" + strings.Join(phrases, " OR ") + ") OR app.status:5*"
}

// savedObjects are all of dashboards/kibana/nodetap.ndjson; what refers to another comes after it.
func savedObjects() []savedObject {
	made := []savedObject{object("index-pattern", dataView, map[string]any{
		"name": "nodetap logs", "title": "nodetap-*,logs-nodetap.*-*", "timeFieldName": "@timestamp",
		"fieldAttrs": "{}", "fieldFormatMap": "{}", "fields": "[]", "runtimeFieldMap": "{}", "sourceFilters": "[]", "typeMeta": "{}",
	})}
	for _, one := range findings() {
		made = append(made, object("search", one.id, map[string]any{
			"title": "nodetap / " + strings.TrimPrefix(one.title, "Logs: "), "description": one.about, "columns": one.columns,
			"sort": [][]string{{"@timestamp", "desc"}}, "grid": map[string]any{}, "hideChart": false, "isTextBasedQuery": false,
			"timeRestore": false, "kibanaSavedObjectMeta": searchSource(one.query),
		}, toDataView()))
	}
	made = append(made, linesByLevel(), loudestWorkloads())
	return append(made, kibanaDashboard())
}

func searchSource(query string) map[string]string {
	return map[string]string{"searchSourceJSON": text(map[string]any{
		"query": map[string]string{"language": "lucene", "query": query}, "filter": []any{},
		"indexRefName": "kibanaSavedObjectMeta.searchSourceJSON.index",
	})}
}

func toDataView() reference {
	return reference{dataView, "kibanaSavedObjectMeta.searchSourceJSON.index", "index-pattern"}
}

func linesByLevel() savedObject {
	axis := func(kind, id, position string, more map[string]any) map[string]any {
		made := map[string]any{"id": id, "type": kind, "position": position, "show": true, "scale": map[string]any{"type": "linear"},
			"labels": map[string]any{"show": true, "filter": true, "truncate": 100}, "style": map[string]any{}, "title": map[string]any{}}
		for key, value := range more {
			made[key] = value
		}
		return made
	}
	return visualization("nodetap-lines-by-level", "Lines by level", "How many lines of each level there were.", "", map[string]any{
		"type": "histogram", "addLegend": true, "addTooltip": true, "addTimeMarker": false, "legendPosition": "right",
		"grid": map[string]any{"categoryLines": false}, "times": []any{}, "labels": map[string]any{"show": false},
		"categoryAxes": []any{axis("category", "CategoryAxis-1", "bottom", nil)},
		"valueAxes":    []any{axis("value", "ValueAxis-1", "left", map[string]any{"name": "LeftAxis-1"})},
		"seriesParams": []any{map[string]any{"type": "histogram", "mode": "stacked", "show": true, "valueAxis": "ValueAxis-1",
			"data": map[string]any{"id": "1", "label": "Lines"}, "drawLinesBetweenPoints": true, "showCircles": true}},
	}, []any{
		aggregation("1", "count", "metric", map[string]any{"customLabel": "Lines"}),
		aggregation("2", "date_histogram", "segment", map[string]any{"field": "@timestamp", "interval": "auto", "min_doc_count": 1,
			"useNormalizedEsInterval": true, "drop_partials": false, "extended_bounds": map[string]any{}}),
		aggregation("3", "terms", "group", termsOf("log.level", 6, "Level")),
	})
}

func loudestWorkloads() savedObject {
	return visualization("nodetap-loudest-workloads", "Fatal and error by workload", "Which containers wrote most lines of level fatal or error.",
		"log.level:(fatal OR error)", map[string]any{
			"type": "table", "perPage": 10, "showPartialRows": false, "showMetricsAtAllLevels": false, "showTotal": false,
			"totalFunc": "sum", "percentageCol": "", "showToolbar": true,
		}, []any{
			aggregation("1", "count", "metric", map[string]any{"customLabel": "Lines"}),
			aggregation("2", "terms", "bucket", termsOf("kubernetes.namespace", 20, "Namespace")),
			aggregation("3", "terms", "bucket", termsOf("kubernetes.pod.name", 20, "Pod")),
			aggregation("4", "terms", "bucket", termsOf("kubernetes.container.name", 5, "Container")),
		})
}

func aggregation(id, kind, schema string, parameters map[string]any) map[string]any {
	return map[string]any{"id": id, "enabled": true, "type": kind, "schema": schema, "params": parameters}
}

func termsOf(field string, size int, label string) map[string]any {
	return map[string]any{"field": field, "size": size, "order": "desc", "orderBy": "1", "customLabel": label,
		"otherBucket": false, "missingBucket": false}
}

func visualization(id, title, about, query string, parameters map[string]any, aggregations []any) savedObject {
	state := map[string]any{"title": title, "type": parameters["type"], "params": parameters, "aggs": aggregations}
	return object("visualization", id, map[string]any{
		"title": "nodetap / " + title, "description": about, "uiStateJSON": "{}", "version": 1, "visState": text(state),
		"kibanaSavedObjectMeta": searchSource(query),
	}, toDataView())
}

func kibanaDashboard() savedObject {
	const half, whole, height = 24, 48, 15
	panels, references := []any{}, []reference{}
	x, y := 0, 0
	add := func(kind, id string, width int) {
		index := fmt.Sprint(len(panels) + 1)
		panels = append(panels, map[string]any{
			"version": coreVersion, "type": kind, "panelIndex": index, "panelRefName": "panel_" + index,
			"gridData":         map[string]any{"i": index, "x": x, "y": y, "w": width, "h": height},
			"embeddableConfig": map[string]any{"enhancements": map[string]any{}},
		})
		// In a dashboard, the reference's name begins with the panel's index.
		references = append(references, reference{id, index + ":panel_" + index, kind})
		if x += width; x >= whole {
			x, y = 0, y+height
		}
	}
	add("visualization", "nodetap-lines-by-level", half)
	add("visualization", "nodetap-loudest-workloads", half)
	for _, one := range findings() {
		add("search", one.id, half)
	}
	return object("dashboard", "nodetap-logs", map[string]any{
		"title": "nodetap / Logs of the cluster", "description": "What workloads and the node's plumbing said.",
		"panelsJSON": text(panels), "optionsJSON": text(map[string]any{"useMargins": true, "hidePanelTitles": false}),
		"timeRestore": true, "timeFrom": "now-3h", "timeTo": "now", "version": 1,
		"refreshInterval":       map[string]any{"pause": true, "value": 60000},
		"kibanaSavedObjectMeta": map[string]string{"searchSourceJSON": text(map[string]any{"query": map[string]string{"language": "lucene", "query": ""}, "filter": []any{}})},
	}, references...)
}

// text is JSON within JSON, as Kibana keeps what it does not index.
func text(value any) string {
	made, err := json.Marshal(value)
	if err != nil {
		panic("bug: maps of plain values have JSON: " + err.Error())
	}
	return string(readable(made))
}

func ndjson() ([]byte, error) {
	var lines bytes.Buffer
	for _, one := range savedObjects() {
		line, err := json.Marshal(one)
		if err != nil {
			return nil, err
		}
		lines.Write(readable(line))
		lines.WriteByte('\n')
	}
	return lines.Bytes(), nil
}
