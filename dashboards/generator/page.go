package main

import (
	"fmt"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

// page is one dashboard: a question, the alerts it explains, the log searches that go on from it, and its panels.
type page struct {
	// The file's name without `.json`; the uid is made of it, so it never changes.
	name     string
	title    string
	question string
	alerts   []string
	searches []search
	// The family whose labels the variables take their values from, and its matchers.
	family   string
	matchers []string
	// Which variables there are beside the data source and the cluster.
	variables []variable
	// The top row answers "is it well?". The alerts that fire are its first tile.
	top      []view
	sections []section
	// How much time is shown at first.
	since string
}

type section struct {
	title string
	views []view
}

type variable struct{ name, label, about string }

var (
	nodes      = variable{"node", "Node", "Nodes, by the label that the scrape configuration gives to each target."}
	namespaces = variable{"namespace", "Namespace", "Namespaces of the pods or services."}
)

// search is a saved search of dashboards/kibana/nodetap.ndjson.
type search struct{ id, title string }

var (
	controlPlaneRestarts = search{"nodetap-control-plane-restarts", "Logs: control plane restarts"}
	fatalAndError        = search{"nodetap-fatal-and-error", "Logs: fatal and error"}
	ingress5xx           = search{"nodetap-ingress-5xx", "Logs: ingress 5xx"}
	keepalivedChecks     = search{"nodetap-keepalived-checks", "Logs: keepalived checks"}
	conntrackFull        = search{"nodetap-conntrack-full", "Logs: conntrack table full"}
	felixErrors          = search{"nodetap-felix-errors", "Logs: Felix errors"}
)

// Time that Kibana shows: the dashboard's.
const sameTime = `_g=(time:(from:'${__from:date:iso}',to:'${__to:date:iso}'))`

// kibana is where the variable of this name points to.
const kibana = `${kibana}/app/discover#/`

// linesOf opens the lines of the pod in a table's row.
func linesOf(namespace, pod string) link {
	return link{
		"Logs of this pod",
		kibana + `?` + sameTime + `&_a=(index:nodetap,query:(language:lucene,query:'kubernetes.namespace:"` + namespace +
			`" AND kubernetes.pod.name:"` + pod + `"'))`,
	}
}

// linesOfRow is for tables, linesOfSeries for charts.
func linesOfRow() link    { return linesOf("${__data.fields.namespace}", "${__data.fields.pod}") }
func linesOfSeries() link { return linesOf("${__field.labels.namespace}", "${__field.labels.pod}") }

// detail opens another dashboard with the same variables and time.
func detail(title, name string) link {
	return link{title, "/d/nodetap-" + name + "?${__url_time_range}&${datasource:queryparam}&${cluster:queryparam}"}
}

func (p page) uid() string { return "nodetap-" + p.name }

func (p page) build() (dashboard.Dashboard, error) {
	since := p.since
	if since == "" {
		since = "now-3h"
	}
	builder := dashboard.NewDashboardBuilder("nodetap / "+p.title).
		Uid(p.uid()).
		Description(p.question).
		Tags([]string{"nodetap"}).
		Time(since, "now").
		Refresh("1m").
		Timezone(common.TimeZoneBrowser).
		Tooltip(dashboard.DashboardCursorSyncCrosshair).
		Readonly().
		Version(version).
		Link(dashboard.NewDashboardLinkBuilder("Other dashboards").Type(dashboard.DashboardLinkTypeDashboards).
			Tags([]string{"nodetap"}).AsDropdown(true).IncludeVars(true).KeepTime(true).Icon("external link"))
	for _, one := range p.searches {
		builder = builder.Link(externalLink(link{one.title, kibana + "view/" + one.id + "?" + sameTime}).Icon("doc"))
	}
	for _, one := range p.allVariables() {
		builder = builder.WithVariable(one)
	}
	builder = builder.Annotation(p.firingMarks())
	layout := layout{}
	for _, one := range append([]section{{"", append([]view{p.firingTile()}, p.top...)}}, p.sections...) {
		if one.title != "" {
			builder = builder.WithRow(layout.row(one.title))
		}
		for _, v := range one.views {
			panel, err := v.build(v, layout.take(v))
			if err != nil {
				return dashboard.Dashboard{}, fmt.Errorf("%s: %s: %w", p.name, v.title, err)
			}
			builder = builder.WithPanel(built{panel})
		}
	}
	return builder.Build()
}

func (p page) firingTile() view {
	return tile("Alerts firing", "Alerts of this dashboard that fire now; the red marks on the charts show when they did.",
		"short", nonzero(), firing(p.alerts))
}

// firingMarks shows on every chart when an alert of this dashboard fired.
func (p page) firingMarks() *dashboard.AnnotationQueryBuilder {
	return dashboard.NewAnnotationQueryBuilder().
		Name("Alerts").
		Datasource(datasource()).
		Enable(true).
		IconColor("red").
		Expr(alertSeries(p.alerts)).
		Step("60s").
		TitleFormat("{{alertname}}").
		TextFormat("{{severity}} {{node}} {{namespace}} {{pod}}").
		TagKeys("alertname,severity")
}

func (p page) allVariables() []cog.Builder[dashboard.VariableModel] {
	made := []cog.Builder[dashboard.VariableModel]{
		dashboard.NewDatasourceVariableBuilder("datasource").
			Label("Data source").
			Description("A Prometheus that scrapes the nodes.").
			Type("prometheus"),
		p.labelValues(variable{"cluster", "Cluster", "Clusters, by the label that the scrape configuration gives to each target."}, nil),
	}
	chosen := []string{inCluster}
	for _, one := range p.variables {
		made = append(made, p.labelValues(one, chosen))
		chosen = append(chosen, one.name+`=~"$`+one.name+`"`)
	}
	if len(p.searches) == 0 {
		return made
	}
	return append(made, dashboard.NewTextBoxVariableBuilder("kibana").
		Label("Kibana").
		Description("Address of Kibana, for the links to lines. `nodetap install grafana --kibana URL` fills it in.").
		DefaultValue(dashboard.StringOrMap{String: cog.ToPtr(kibanaExample)}))
}

// kibanaExample is what stands for Kibana's address until `nodetap install` knows better.
const kibanaExample = "https://kibana.example"

func (p page) labelValues(v variable, chosen []string) *dashboard.QueryVariableBuilder {
	matchers := append(append([]string{}, p.matchers...), chosen...)
	text := "label_values(" + selector(p.family, matchers...) + ", " + v.name + ")"
	return dashboard.NewQueryVariableBuilder(v.name).
		Label(v.label).
		Description(v.about).
		Datasource(datasource()).
		Query(dashboard.StringOrMap{Map: map[string]any{"query": text, "refId": "PrometheusVariableQueryEditor-VariableQuery"}}).
		Definition(text).
		Refresh(dashboard.VariableRefreshOnTimeRangeChanged).
		Sort(dashboard.VariableSortAlphabeticalAsc).
		Multi(true).
		IncludeAll(true).
		AllValue(".*").
		Current(dashboard.VariableOption{
			Selected: cog.ToPtr(true),
			Text:     dashboard.StringOrArrayOfString{ArrayOfString: []string{"All"}},
			Value:    dashboard.StringOrArrayOfString{ArrayOfString: []string{"$__all"}},
		})
}

// layout gives each panel its place, from left to right, in the order they are named.
type layout struct {
	x, y, tallest uint32
	id            uint32
}

const gridWidth = 24

func (l *layout) take(v view) place {
	if l.x+v.width > gridWidth {
		l.newLine()
	}
	l.id++
	at := place{id: l.id, x: l.x, y: l.y}
	l.x += v.width
	l.tallest = max(l.tallest, v.height)
	return at
}

func (l *layout) newLine() {
	l.y += l.tallest
	l.x, l.tallest = 0, 0
}

func (l *layout) row(title string) *dashboard.RowBuilder {
	l.newLine()
	l.id++
	row := dashboard.NewRowBuilder(title).Id(l.id).GridPos(dashboard.GridPos{X: 0, Y: l.y, W: gridWidth, H: 1})
	l.y++
	return row
}

// built is a panel that needs no more building.
type built struct{ panel dashboard.Panel }

func (b built) Build() (dashboard.Panel, error) { return b.panel, nil }
