package main

import (
	"fmt"

	"github.com/grafana/grafana-foundation-sdk/go/bargauge"
	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/cog/variants"
	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/prometheus"
	"github.com/grafana/grafana-foundation-sdk/go/stat"
	"github.com/grafana/grafana-foundation-sdk/go/statetimeline"
	"github.com/grafana/grafana-foundation-sdk/go/statushistory"
	"github.com/grafana/grafana-foundation-sdk/go/table"
	"github.com/grafana/grafana-foundation-sdk/go/timeseries"
)

// query is one expression of a panel and what its series are called.
type query struct {
	expression string
	legend     string
}

// view is a panel before it has its place: what it is called, what it says, in which unit.
type view struct {
	title, about, unit string
	width, height      uint32
	queries            []query
	links              []link
	build              func(view, place) (dashboard.Panel, error)
	limits             []limit
	states             []state
	columns            []column
	stacked            bool
	highest            *float64
}

type place struct {
	id   uint32
	x, y uint32
}

// limit is a colour from a value on; the first has no value.
type limit struct {
	from   float64
	colour string
}

// state is what a value means.
type state struct {
	value, text, colour string
}

// column is one value of a table's rows. Its query comes at the same place in `queries`.
type column struct {
	title, unit string
	limits      []limit
}

type link struct{ title, url string }

// above colours what is too high.
func above(warning, critical float64) []limit {
	return []limit{{colour: "green"}, {warning, "orange"}, {critical, "red"}}
}

// nonzero colours whatever is not 0.
func nonzero() []limit { return []limit{{colour: "green"}, {1, "red"}} }

// some colours whatever is above 0, however little.
func some(colour string) []limit { return []limit{{colour: "green"}, {1e-9, colour}} }

// below colours what is too low.
func below(critical, warning float64) []limit {
	return []limit{{colour: "red"}, {critical, "orange"}, {warning, "green"}}
}

// plain colours nothing: the number is news, neither good nor bad.
func plain() []limit { return []limit{{colour: "blue"}} }

// yesNo is for gauges of 1 and 0 where 1 is well.
func yesNo(yes, no string) []state {
	return []state{{"0", no, "red"}, {"1", yes, "green"}}
}

func one(expression, legend string) []query { return []query{{expression, legend}} }

// === the kinds of panels ===

// tile is one number that is well or not.
func tile(title, about, unit string, limits []limit, expression string) view {
	return view{title: title, about: about, unit: unit, limits: limits, width: 4, height: 4,
		queries: one(expression, title), build: buildTile}
}

// lines is a chart over time.
func lines(title, about, unit string, queries ...query) view {
	return view{title: title, about: about, unit: unit, width: 12, height: 8, queries: queries, build: buildLines}
}

// bars is a list of the highest, now.
func bars(title, about, unit string, limits []limit, expression, legend string) view {
	return view{title: title, about: about, unit: unit, limits: limits, width: 12, height: 8,
		queries: one(expression, legend), build: buildBars}
}

// timeline is a band of colours for each series.
func timeline(title, about string, states []state, expression, legend string) view {
	return view{title: title, about: about, unit: "none", states: states, width: 12, height: 8,
		queries: one(expression, legend), build: buildTimeline}
}

// history is a map of cells: series by time, coloured by limits.
func history(title, about, unit string, limits []limit, expression, legend string) view {
	return view{title: title, about: about, unit: unit, limits: limits, width: 12, height: 8,
		queries: one(expression, legend), build: buildHistory}
}

// rows is a table of what is now; equal labels of several columns make one row.
func rows(title, about string, columns ...tableColumn) view {
	made := view{title: title, about: about, unit: "none", width: 24, height: 9, build: buildTable}
	for _, one := range columns {
		made.columns = append(made.columns, one.column)
		made.queries = append(made.queries, query{one.expression, one.title})
	}
	return made
}

type tableColumn struct {
	column
	expression string
}

func col(title, unit string, limits []limit, expression string) tableColumn {
	return tableColumn{column{title, unit, limits}, expression}
}

func (v view) wide(width uint32) view  { v.width = width; return v }
func (v view) high(height uint32) view { v.height = height; return v }
func (v view) stack() view             { v.stacked = true; return v }
func (v view) upTo(value float64) view { v.highest = &value; return v }
func (v view) marks(limits []limit) view {
	v.limits = limits
	return v
}

func (v view) to(links ...link) view {
	v.links = append(append([]link{}, v.links...), links...)
	return v
}

// === what they share ===

type panelBuilder[B any] interface {
	Id(uint32) B
	Title(string) B
	Description(string) B
	Datasource(common.DataSourceRef) B
	GridPos(dashboard.GridPos) B
	Unit(string) B
	DataLinks([]cog.Builder[dashboard.DashboardLink]) B
	Targets([]cog.Builder[variants.Dataquery]) B
	Thresholds(cog.Builder[dashboard.ThresholdsConfig]) B
	Mappings([]dashboard.ValueMapping) B
	Min(float64) B
	Max(float64) B
	Build() (dashboard.Panel, error)
}

func dress[B panelBuilder[B]](builder B, v view, at place, queries []cog.Builder[variants.Dataquery]) B {
	builder = builder.Id(at.id).Title(v.title).Description(v.about).Unit(v.unit).
		Datasource(datasource()).
		GridPos(dashboard.GridPos{X: at.x, Y: at.y, W: v.width, H: v.height}).
		Targets(queries)
	if len(v.limits) > 0 {
		builder = builder.Thresholds(thresholds(v.limits))
	}
	if len(v.states) > 0 {
		builder = builder.Mappings(mappings(v.states))
	}
	if v.highest != nil {
		builder = builder.Min(0).Max(*v.highest)
	}
	if len(v.links) > 0 {
		var links []cog.Builder[dashboard.DashboardLink]
		for _, one := range v.links {
			links = append(links, externalLink(one))
		}
		builder = builder.DataLinks(links)
	}
	return builder
}

func datasource() common.DataSourceRef {
	return common.DataSourceRef{Type: cog.ToPtr("prometheus"), Uid: cog.ToPtr("$datasource")}
}

func externalLink(one link) *dashboard.DashboardLinkBuilder {
	return dashboard.NewDashboardLinkBuilder(one.title).Url(one.url).Type(dashboard.DashboardLinkTypeLink).
		TargetBlank(true)
}

func (v view) targets(shape func(*prometheus.DataqueryBuilder)) []cog.Builder[variants.Dataquery] {
	var made []cog.Builder[variants.Dataquery]
	for index, one := range v.queries {
		target := prometheus.NewDataqueryBuilder().Expr(one.expression).LegendFormat(one.legend).
			RefId(string(rune('A' + index))).Datasource(datasource())
		shape(target)
		made = append(made, target)
	}
	return made
}

func (v view) ranged() []cog.Builder[variants.Dataquery] {
	return v.targets(func(target *prometheus.DataqueryBuilder) { target.Range() })
}

func (v view) now() []cog.Builder[variants.Dataquery] {
	return v.targets(func(target *prometheus.DataqueryBuilder) { target.Instant() })
}

func thresholds(limits []limit) *dashboard.ThresholdsConfigBuilder {
	return dashboard.NewThresholdsConfigBuilder().Mode(dashboard.ThresholdsModeAbsolute).Steps(steps(limits))
}

func steps(limits []limit) []dashboard.Threshold {
	var made []dashboard.Threshold
	for index, one := range limits {
		step := dashboard.Threshold{Color: one.colour}
		if index > 0 {
			step.Value = cog.ToPtr(one.from)
		}
		made = append(made, step)
	}
	return made
}

func mappings(states []state) []dashboard.ValueMapping {
	options := map[string]dashboard.ValueMappingResult{}
	for index, one := range states {
		options[one.value] = dashboard.ValueMappingResult{
			Text: cog.ToPtr(one.text), Color: cog.ToPtr(one.colour), Index: cog.ToPtr(int32(index)),
		}
	}
	return []dashboard.ValueMapping{{ValueMap: &dashboard.ValueMap{Type: dashboard.MappingTypeValueToText, Options: options}}}
}

// === each kind ===

func buildTile(v view, at place) (dashboard.Panel, error) {
	return dress(stat.NewPanelBuilder(), v, at, v.now()).
		ReduceOptions(lastValue()).
		ColorMode(common.BigValueColorModeBackground).
		GraphMode(common.BigValueGraphModeNone).
		TextMode(common.BigValueTextModeValue).
		Orientation(common.VizOrientationAuto).
		NoValue("not measured").
		Build()
}

func buildLines(v view, at place) (dashboard.Panel, error) {
	builder := dress(timeseries.NewPanelBuilder(), v, at, v.ranged()).
		LineWidth(1).
		FillOpacity(10).
		ShowPoints(common.VisibilityModeAuto).
		Tooltip(common.NewVizTooltipOptionsBuilder().Mode(common.TooltipDisplayModeMulti).Sort(common.SortOrderDescending)).
		Legend(common.NewVizLegendOptionsBuilder().ShowLegend(true).DisplayMode(common.LegendDisplayModeTable).
			Placement(common.LegendPlacementBottom).Calcs([]string{"lastNotNull", "max"}))
	if v.highest == nil {
		builder = builder.AxisSoftMin(0)
	}
	if v.stacked {
		builder = builder.FillOpacity(40).
			Stacking(common.NewStackingConfigBuilder().Mode(common.StackingModeNormal))
	}
	if len(v.limits) > 0 {
		builder = builder.ThresholdsStyle(
			common.NewGraphThresholdsStyleConfigBuilder().Mode(common.GraphThresholdsStyleModeDashed))
	}
	return builder.Build()
}

func buildBars(v view, at place) (dashboard.Panel, error) {
	return dress(bargauge.NewPanelBuilder(), v, at, v.now()).
		ReduceOptions(lastValue()).
		Orientation(common.VizOrientationHorizontal).
		DisplayMode(common.BarGaugeDisplayModeBasic).
		ValueMode(common.BarGaugeValueModeColor).
		Min(0).
		Build()
}

func buildTimeline(v view, at place) (dashboard.Panel, error) {
	return dress(statetimeline.NewPanelBuilder(), v, at, v.ranged()).
		MergeValues(true).
		ShowValue(common.VisibilityModeAuto).
		RowHeight(0.8).
		FillOpacity(80).
		Build()
}

func buildHistory(v view, at place) (dashboard.Panel, error) {
	return dress(statushistory.NewPanelBuilder(), v, at, v.ranged()).
		ShowValue(common.VisibilityModeNever).
		RowHeight(0.9).
		FillOpacity(80).
		// A cell has a width; more of them than pixels would be refused.
		MaxDataPoints(100).
		Build()
}

func buildTable(v view, at place) (dashboard.Panel, error) {
	queries := v.targets(func(target *prometheus.DataqueryBuilder) {
		target.Instant().Format(prometheus.PromQueryFormatTable)
	})
	builder := dress(table.NewPanelBuilder(), v, at, queries).
		Filterable(true).
		CellHeight(common.TableCellHeightSm).
		Footer(common.NewTableFooterOptionsBuilder().Show(false).Reducer([]string{})).
		WithTransformation(dashboard.DataTransformerConfig{Id: "merge", Options: map[string]any{}})
	names := map[string]string{}
	for index, one := range v.columns {
		// The name that Grafana gives to a value, before it is renamed.
		field := "Value"
		if len(v.columns) > 1 {
			field = fmt.Sprintf("Value #%c", 'A'+index)
		}
		names[field] = one.title
		builder = builder.OverrideByName(one.title, columnOptions(one))
	}
	organize := map[string]any{
		"excludeByName": map[string]bool{"Time": true}, "indexByName": map[string]int{}, "renameByName": names,
	}
	return builder.WithTransformation(dashboard.DataTransformerConfig{Id: "organize", Options: organize}).Build()
}

func columnOptions(one column) []dashboard.DynamicConfigValue {
	options := []dashboard.DynamicConfigValue{{Id: "unit", Value: one.unit}}
	if len(one.limits) > 0 {
		options = append(options,
			dashboard.DynamicConfigValue{Id: "thresholds", Value: map[string]any{"mode": "absolute", "steps": steps(one.limits)}},
			dashboard.DynamicConfigValue{Id: "custom.cellOptions", Value: map[string]any{"type": "color-text"}})
	}
	return options
}

func lastValue() *common.ReduceDataOptionsBuilder {
	return common.NewReduceDataOptionsBuilder().Calcs([]string{"lastNotNull"}).Values(false)
}
