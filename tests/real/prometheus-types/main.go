// Command prometheus-types reads files as their owners read them: a configuration as Prometheus 3 does, with its
// discovery in Kubernetes, and objects of the operator by its own types. A field that they don't know is an error.
//
//	prometheus-types config FILE...
//	prometheus-types objects FILE...
package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"github.com/prometheus/prometheus/config"
	_ "github.com/prometheus/prometheus/discovery/dns"
	_ "github.com/prometheus/prometheus/discovery/file"
	_ "github.com/prometheus/prometheus/discovery/http"
	_ "github.com/prometheus/prometheus/discovery/kubernetes"
	"k8s.io/apimachinery/pkg/util/yaml"
	strict "sigs.k8s.io/yaml"
)

func main() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: prometheus-types config|objects FILE...")
		os.Exit(2)
	}
	read := map[string]func(string) error{"config": configuration, "objects": objects}[os.Args[1]]
	for _, path := range os.Args[2:] {
		if err := read(path); err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", path, err)
			os.Exit(1)
		}
	}
}

func configuration(path string) error {
	read, err := config.LoadFile(path, false, slog.New(slog.DiscardHandler))
	if err == nil {
		for _, one := range read.ScrapeConfigs {
			fmt.Println(path, one.JobName)
		}
	}
	return err
}

func objects(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	documents := yaml.NewDocumentDecoder(io.NopCloser(bytes.NewReader(text)))
	defer documents.Close()
	for document := make([]byte, 1<<20); ; {
		size, err := documents.Read(document)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := object(path, document[:size]); err != nil {
			return err
		}
	}
}

func object(path string, text []byte) error {
	var about struct{ Kind, APIVersion string }
	if err := strict.Unmarshal(text, &about); err != nil {
		return err
	}
	into, known := map[string]any{
		"PodMonitor": &monitoring.PodMonitor{}, "ServiceMonitor": &monitoring.ServiceMonitor{},
		"Prometheus": &monitoring.Prometheus{}, "PrometheusRule": &monitoring.PrometheusRule{},
	}[about.Kind]
	if !known || about.APIVersion != monitoring.SchemeGroupVersion.String() {
		return fmt.Errorf("%s of %s is none of the operator's", about.Kind, about.APIVersion)
	}
	fmt.Println(path, about.Kind)
	return strict.UnmarshalStrict(text, into)
}
