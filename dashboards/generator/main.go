// Command generator writes the dashboards of Grafana and the saved objects of Kibana:
//
//	generator DIRECTORY        writes grafana/ and kibana/ in the directory
//	generator check FILE...    reads dashboards by Grafana's schema; what the schema does not know is an error
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/cog/plugins"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

// version grows with each change of a dashboard's content; `nodetap install` replaces older ones.
const version = 1

var pages = []func() page{
	overview, conntrack, lvs, keepalived, jvm, readiness, controlPlane, ingress, calico, logs, self,
}

func main() {
	plugins.RegisterDefaultPlugins()
	var err error
	switch {
	case len(os.Args) == 2:
		err = write(os.Args[1])
	case len(os.Args) > 2 && os.Args[1] == "check":
		err = check(os.Args[2:])
	default:
		err = fmt.Errorf("usage: generator DIRECTORY | generator check FILE...")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "generator:", err)
		os.Exit(1)
	}
}

func write(directory string) error {
	for _, page := range pages {
		made, err := page().build()
		if err != nil {
			return err
		}
		text, err := json.MarshalIndent(made, "", "  ")
		if err != nil {
			return err
		}
		if err := keep(directory, "grafana", page().name+".json", append(readable(text), '\n')); err != nil {
			return err
		}
	}
	lines, err := ndjson()
	if err != nil {
		return err
	}
	return keep(directory, "kibana", "nodetap.ndjson", lines)
}

func keep(directory, folder, name string, text []byte) error {
	folder = filepath.Join(directory, folder)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(folder, name), text, 0o644)
}

// readable undoes what encoding/json does for text inside HTML, which would hide comparisons from readers and from grep.
func readable(text []byte) []byte {
	for escaped, plain := range map[string]string{`\u003c`: "<", `\u003e`: ">", `\u0026`: "&"} {
		text = bytes.ReplaceAll(text, []byte(escaped), []byte(plain))
	}
	return text
}

func check(paths []string) error {
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		var read dashboard.Dashboard
		for _, err := range []error{read.UnmarshalJSONStrict(text), read.Validate()} {
			if complaints := (cog.BuildErrors{}); errors.As(err, &complaints) && len(complaints) == 0 {
				continue // the reader says "none" by an empty list
			}
			if err != nil {
				return fmt.Errorf("%s: %w", path, err)
			}
		}
	}
	return nil
}
